import type { Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
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
 * Parses and validates the settings of the platform, and those of features. An unset or empty variable
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
  for (const [name, text] of Object.entries(variables)) {
    const propertyType: unknown = Reflect.getMetadata(
      'design:type',
      type.prototype as object,
      name,
    );
    try {
      const parsed = plainToInstance(type, { [name]: convertText(text, propertyType) });
      Object.assign(settings, { [name]: parsed[name as keyof T] });
    } catch {
      // The error of a @Transform() may contain the value, which may be a secret.
      unparsed.add(name);
      addMessage(name, 'the value could not be parsed', text);
    }
  }
  // `whitelist` removes what has no decorator: all other variables.
  const errors = validateSync(settings, { whitelist: true, forbidUnknownValues: false });
  for (const error of errors.filter(({ property }) => !unparsed.has(property))) {
    const { property, value } = error;
    addMessage(property, formatExpected(error), variables[property] ?? value);
  }
  for (const name of Object.keys(new type())) {
    if (!(name in settings)) {
      messages.add(
        `${name}: ${type.name} has no class-validator decorator for it. Add one such as @IsString().`,
      );
    }
  }
  return settings;
}

/** Converts text to the type of a property. Text that does not fit is left for the validation to reject. */
function convertText(text: string | undefined, type: unknown): unknown {
  if (type === Number && /^-?\d+(\.\d+)?$/.test(String(text))) return Number(text);
  if (type === Boolean && (text === 'true' || text === 'false')) return text === 'true';
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
