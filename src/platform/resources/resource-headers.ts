/** OpenAPI headers of responses with a resource, for `@ApiOkResponse({ headers })` and its like. */
export const ENTITY_TAG = {
  ETag: {
    description: 'The version of the resource, for `If-Match` and `If-None-Match`.',
    schema: { type: 'string', example: '"1"' },
  },
};

/** OpenAPI header of a response to the creation of a resource. */
export const LOCATION = {
  Location: {
    description: 'The path of the new resource.',
    schema: { type: 'string', format: 'uri-reference' },
  },
};

/** OpenAPI header of responses that clients may store, and must revalidate. */
export const CACHE_CONTROL = {
  'Cache-Control': {
    description: 'Only the client may store the response, and asks before it uses it again.',
    schema: { type: 'string', example: 'private, no-cache' },
  },
};

/** OpenAPI header of a page of a list. */
export const NEXT_LINK = {
  Link: {
    description: 'The path of the next page, with `rel="next"`. Absent on the last page.',
    schema: { type: 'string' },
  },
};

/** Header of requests that change a resource, for `@ApiHeader()`. */
export const IF_MATCH = {
  name: 'If-Match',
  description: 'Change the resource only if it has one of these versions: 412 otherwise.',
  required: false,
  schema: { type: 'string', example: '"1"' },
};
