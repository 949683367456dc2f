import type { Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import {
  getMetadataStorage,
  IS_BOOLEAN,
  IS_INT,
  IS_NUMBER,
  validateSync,
  type ValidationError,
} from 'class-validator';
import { StartupError } from '../startup-error.js';
import { getSecrets } from './setting.decorators.js';
import { Settings } from './settings.js';

/** The settings of features, by their class. */
export class FeatureSettings extends Map<Type<object>, object> {}

export interface ParsedSettings {
  settings: Settings;
  featureSettings: FeatureSettings;
}

/** Environment variables by name. */
type Variables = Record<string, string | undefined>;

/**
 * Parses and validates the settings of the platform and of features. An unset or empty variable
 * means the default.
 *
 * @throws AggregateError with one error per invalid variable: its name, the expected value and the
 *   actual value
 */
export function parseSettings(env: Variables, featureClasses: Type<object>[] = []): ParsedSettings {
  const variables = Object.fromEntries(
    Object.entries(env).filter(([, text]) => text !== undefined && text !== ''),
  );
  // A variable that is a secret in one class is a secret in all.
  const secrets = new Set([Settings, ...featureClasses].flatMap(getSecrets));
  const messages = new Set<string>();
  const settings = parseClass(Settings, variables, secrets, messages);
  const featureSettings = new FeatureSettings(
    featureClasses.map((type) => [type, parseClass(type, variables, secrets, messages)]),
  );
  if (messages.size > 0) {
    const errors = [...messages].map((message) => new StartupError(message));
    throw new AggregateError(errors, [...messages].join('\n'));
  }
  return { settings, featureSettings };
}

/** Creates the settings of one class, and adds a message for each invalid one. */
function parseClass<T extends object>(
  type: Type<T>,
  variables: Variables,
  secrets: Set<string>,
  messages: Set<string>,
): T {
  const settings = new type();
  const unparsed = new Set<string>();
  const addMessage = (name: string, expected: string, actual: unknown) => {
    messages.add(`${name}: ${expected}${formatActual(actual, secrets.has(name))}`);
  };
  const prototype = type.prototype as object;
  const properties = findRules(type);
  for (const [name, rules] of properties) {
    const text = variables[name];
    if (text === undefined) continue;
    try {
      const value = convertText(text, rules, Reflect.getMetadata('design:type', prototype, name));
      const parsed = plainToInstance(type, { [name]: value });
      Object.assign(settings, { [name]: parsed[name as keyof T] });
    } catch {
      // The error of a @Transform() may contain the value, which may be a secret.
      unparsed.add(name);
      addMessage(name, 'the value could not be parsed', text);
    }
  }
  const errors = validateSync(settings, { forbidUnknownValues: false });
  for (const error of errors.filter(({ property }) => !unparsed.has(property))) {
    const { property } = error;
    addMessage(property, formatExpected(error), variables[property] ?? error.value);
  }
  const declared = [
    ...Object.keys(new type()),
    ...getSecrets(type),
    ...Object.keys(variables).filter((name) => Reflect.hasMetadata('design:type', prototype, name)),
  ];
  for (const name of declared.filter((name) => !properties.has(name))) {
    messages.add(
      `${name}: ${type.name} has no class-validator decorator for it. Add one such as @IsString().`,
    );
  }
  return settings;
}

/** Returns the names of class-validator's rules of each property, without the rules of its elements. */
function findRules(type: Type<object>): Map<string, Set<unknown>> {
  const rules = new Map<string, Set<unknown>>();
  const storage = getMetadataStorage();
  for (const metadata of storage.getTargetValidationMetadatas(type, '', false, false)) {
    const { propertyName, name, each } = metadata;
    const names = rules.get(propertyName) ?? new Set();
    rules.set(propertyName, each ? names : names.add(name));
  }
  return rules;
}

/**
 * Converts text to a number or a boolean, if a rule or the type of a property requires it. Text that does not fit
 * is left for the validation to reject.
 */
function convertText(text: string, rules: Set<unknown>, type: unknown): unknown {
  if (rules.has(IS_INT)) {
    const isRounded = Number.isInteger(Number(text)) && !Number.isSafeInteger(Number(text));
    return /^-?\d+(\.\d+)?$/.test(text) && !isRounded ? Number(text) : text;
  }
  if (rules.has(IS_NUMBER) || type === Number) {
    return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
  }
  if (rules.has(IS_BOOLEAN) || type === Boolean) {
    return text === 'true' || text === 'false' ? text === 'true' : text;
  }
  return text;
}

function formatExpected({ property, constraints }: ValidationError): string {
  // class-validator evaluates decorators from the bottom up, and its own messages start with the property.
  const messages = Object.values(constraints ?? {})
    .reverse()
    .map((message) => message.replace(new RegExp(`^(each value )?(in )?${property} `), '$1'));
  return [...new Set(messages)].join(' and ');
}

function formatActual(actual: unknown, isSecret: boolean): string {
  if (actual === undefined) return ', but it is not set. Set it in the environment or in .env.';
  return `, got ${isSecret ? 'a value that is not shown here' : JSON.stringify(actual)}`;
}
