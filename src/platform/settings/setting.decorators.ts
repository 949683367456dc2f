import { applyDecorators, type Type } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsBoolean, IsInt, Max, Min, ValidateBy, type ValidationArguments } from 'class-validator';
import express from 'express';

const SECRETS = Symbol('secrets');

/** Validates a whole number in decimal digits. */
export function WholeNumber(min: number, max: number) {
  const message = `expected a whole number from ${min} to ${max}`;
  return applyDecorators(IsInt({ message }), Min(min, { message }), Max(max, { message }));
}

/** Validates `true` or `false`. */
export function Flag() {
  return IsBoolean({ message: 'expected true or false' });
}

/** Keeps the value of a setting out of error messages. */
export function Secret(): PropertyDecorator {
  return (prototype, name) => {
    const names = [...getSecrets(prototype.constructor as Type<object>), String(name)];
    Reflect.defineMetadata(SECRETS, names, prototype);
  };
}

/** Returns the names of the properties with `@Secret()`. */
export function getSecrets({ prototype }: Type<object>): string[] {
  return (Reflect.getMetadata(SECRETS, prototype as object) as string[] | undefined) ?? [];
}

/** Validates that a port is not the port of another setting. 0 lets the operating system choose both. */
export function OtherPortThan(setting: string) {
  const validate = (port: unknown, args?: ValidationArguments) =>
    !(Number(port) > 0 && port === (args?.object as Record<string, unknown>)[setting]);
  return ValidateBy(
    { name: 'otherPort', validator: { validate } },
    { message: `expected a port other than ${setting}` },
  );
}

/** Validates that a flag is only set on a version of Node.js that supports it. */
export function RequiresNode(minMajor: number, minMinor: number) {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isSupported = major > minMajor || (major === minMajor && minor >= minMinor);
  return ValidateBy(
    { name: 'requiresNode', validator: { validate: (flag) => flag !== true || isSupported } },
    {
      message: `expected false with Node ${process.version} (true needs ${minMajor}.${minMinor} or newer)`,
    },
  );
}

/** Parses and validates a value of Express's `trust proxy` setting. */
export function TrustProxy() {
  return applyDecorators(
    Transform(({ value }: { value: unknown }) => {
      if (value === 'true' || value === 'false') return value === 'true';
      return /^\d+$/.test(String(value)) ? Number(value) : value;
    }),
    ValidateBy(
      { name: 'trustProxy', validator: { validate: isTrustProxy } },
      {
        message:
          'expected true, false, the number of proxies, or their addresses such as loopback,10.0.0.0/8',
      },
    ),
  );
}

function isTrustProxy(value: unknown): boolean {
  try {
    express().set('trust proxy', value);
    return true;
  } catch {
    return false;
  }
}

/** Splits a comma-separated list. The white space around its elements is ignored. */
export function CommaSeparated() {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? value.split(',').map((element) => element.trim()) : value,
  );
}

/** Parses and validates a comma-separated list of origins, or `*`. */
export function Origins() {
  return applyDecorators(
    CommaSeparated(),
    ValidateBy(
      { name: 'origins', validator: { validate: isOrigin } },
      {
        each: true,
        message: 'expected origins such as https://app.example.com, separated by commas, or *',
      },
    ),
  );
}

function isOrigin(value: unknown): boolean {
  const origin = String(value);
  return (
    origin === '*' ||
    (/^https?:[^*]+$/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin)
  );
}
