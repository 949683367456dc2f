import { STATUS_CODES } from 'node:http';
import { HttpStatus } from '@nestjs/common';
import {
  getSchemaPath,
  type OperationObject,
  type ReferenceObject,
  type ResponseObject,
} from '@nestjs/swagger';

export type Responses = Record<string, ResponseObject | ReferenceObject>;

const VALIDATION_ERROR = String(HttpStatus.UNPROCESSABLE_ENTITY);

const DESCRIPTIONS: Record<string, string> = {
  [HttpStatus.UNAUTHORIZED]: 'The request has no valid credentials.',
  [HttpStatus.FORBIDDEN]: 'The caller is not allowed to send this request.',
  [HttpStatus.NOT_FOUND]: 'The resource does not exist.',
  [HttpStatus.CONFLICT]: 'The request conflicts with the current state of the resource.',
  [HttpStatus.PRECONDITION_FAILED]: 'The resource has changed since the caller read it.',
  [HttpStatus.UNPROCESSABLE_ENTITY]: 'The request is not valid.',
  [HttpStatus.SERVICE_UNAVAILABLE]: 'The service cannot handle the request now.',
  default: 'An error, such as 400 for a malformed request or 500 for an unexpected error.',
};

/**
 * Adds the responses of the platform to an operation: 401 if it requires credentials, 403 if it requires scopes,
 * 422 if it has a body or a parameter, and `default` for every status that it does not document. What its author documents stays. An error that the author
 * documents without a type has the error schema, and becomes a reference to a shared response if it has no
 * description either.
 *
 * @param shared the shared responses, by status. Those that the operation refers to are added
 */
export function addErrorResponses(operation: OperationObject, shared: Responses): void {
  const hasInput = operation.requestBody !== undefined || operation.parameters?.length;
  const { responses } = operation;
  const requirements = operation.security ?? [];
  const requiresScopes = requirements.some((each) => Object.values(each).flat().length > 0);
  // An empty requirement makes credentials optional.
  const isPublic = requirements.length === 0 || requirements.some((each) => isEmpty(each));
  if (!isPublic) responses[HttpStatus.UNAUTHORIZED] ??= { description: '' };
  if (requiresScopes) responses[HttpStatus.FORBIDDEN] ??= { description: '' };
  if (hasInput) responses[VALIDATION_ERROR] ??= { description: '' };
  responses.default ??= { description: '' };
  for (const [status, response] of Object.entries(responses as Responses)) {
    if ('$ref' in response || !/^([45]|default$)/.test(status)) continue;
    const name = SHARED_NAMES.get(status);
    const isValidationError = status === VALIDATION_ERROR && Boolean(hasInput);
    if (name !== undefined && !isValidationError && isUndescribed(response)) {
      shared[status] = createErrorResponse(response, status, 'HTTPError');
      responses[status] = { $ref: `#/components/responses/${name}` };
    } else {
      const schema = isValidationError ? 'HTTPValidationError' : 'HTTPError';
      responses[status] = createErrorResponse(response, status, schema);
    }
  }
}

/** Returns the shared responses by name, for the components of the document. */
export function nameSharedResponses(shared: Responses): Responses {
  return Object.fromEntries(
    Object.entries(shared).map(([status, response]) => [
      SHARED_NAMES.get(status) ?? status,
      response,
    ]),
  );
}

/** Names of the shared responses by status: `NotFound` for 404. */
const SHARED_NAMES = new Map(
  Object.entries(HttpStatus)
    .filter(([, status]) => typeof status === 'number')
    .map(([key, status]) => [
      String(status),
      key.toLowerCase().replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase()),
    ]),
);

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}

/** Returns whether the author only named the status, as in `@ApiNotFoundResponse()`. */
function isUndescribed(response: ResponseObject): boolean {
  return Object.values(response).every((value) => value === '' || value === undefined);
}

function createErrorResponse(
  response: ResponseObject,
  status: string,
  schema: string,
): ResponseObject {
  return {
    ...response,
    description:
      response.description || (DESCRIPTIONS[status] ?? STATUS_CODES[status] ?? 'An error.'),
    content: response.content ?? {
      'application/json': { schema: { $ref: getSchemaPath(schema) } },
    },
  };
}
