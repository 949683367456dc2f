import type {
  OperationObject,
  ParameterObject,
  RequestBodyObject,
  SchemaObject,
} from '@nestjs/swagger';
import {
  createErrorDetail,
  createMissingError,
  type ErrorDetail,
  getRuleError,
  type RuleError,
} from '../http/validation/error-detail.js';
import { getParameterError } from '../http/validation/parameter-types.js';
import { composeExample, resolveSchema, type Schemas } from './schema-example.js';

const PARAMETER_LOCATIONS = ['path', 'query', 'header'];

/** Creates an example of a 422 response: an error of the operation's own body or parameters. */
export function createValidationErrorExample(
  { requestBody, parameters = [] }: OperationObject,
  schemas: Schemas,
): { detail: [ErrorDetail] } | undefined {
  const error =
    createBodyError(requestBody as RequestBodyObject | undefined, schemas) ??
    createParameterError(parameters as ParameterObject[], schemas);
  return error && { detail: [error] };
}

/** Creates the error for a body without its first required field, or for an absent body. */
function createBodyError(
  body: RequestBodyObject | undefined,
  schemas: Schemas,
): ErrorDetail | undefined {
  const [media] = Object.values(body?.content ?? {});
  if (media === undefined) return undefined;
  const { properties = {}, required = [] } = resolveSchema(media.schema, schemas);
  const field = required.find((name) => !isFile(resolveSchema(properties[name], schemas)));
  if (field === undefined) return createMissingError(['body'], null);
  const input = Object.fromEntries(
    Object.entries(properties)
      .filter(([name]) => name !== field && required.includes(name))
      .map(([name, property]) => [name, composeExample(property, schemas)]),
  );
  return createMissingError(['body', field], input);
}

function isFile({ format }: SchemaObject): boolean {
  return format === 'binary';
}

/** Creates the error for a parameter of the first location that has any: a path parameter, if possible. */
function createParameterError(
  parameters: ParameterObject[],
  schemas: Schemas,
): ErrorDetail | undefined {
  for (const location of PARAMETER_LOCATIONS) {
    const candidates = parameters
      .filter((parameter) => parameter.in === location)
      .map((parameter) => {
        const schema = resolveSchema(parameter.schema, schemas);
        return { ...parameter, invalid: findInvalidValue(schema) };
      });
    const parameter = candidates.find(({ invalid }) => invalid !== undefined) ?? candidates[0];
    if (parameter === undefined) continue;
    const { name, required = false, invalid } = parameter;
    const loc = [location, name];
    if (invalid !== undefined) return createErrorDetail(invalid.error, loc, invalid.input);
    if (required && location !== 'path') return createMissingError(loc, {});
  }
  return undefined;
}

/** Finds a string that is no value of a parameter, and its error. */
function findInvalidValue(schema: SchemaObject): { error: RuleError; input: string } | undefined {
  const { enum: values, format, minLength = 0 } = schema;
  if (values) return { error: getRuleError('isIn', [values], () => ''), input: 'abc' };
  for (const type of [format, schema.type].flat()) {
    const error = getParameterError(PARSING_RULES[String(type)] ?? '', [], 'abc');
    if (error) return { error, input: 'abc' };
  }
  if (minLength > 1) {
    return {
      error: getRuleError('minLength', [minLength], () => ''),
      input: 'a'.repeat(minLength - 1),
    };
  }
  return undefined;
}

/** The rules that parse a parameter, by its type or format in the document. */
const PARSING_RULES: Partial<Record<string, string>> = {
  integer: 'isInt',
  number: 'isNumber',
  boolean: 'isBoolean',
  uuid: 'isUuid',
};
