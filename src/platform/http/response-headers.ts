/** Property of an `HttpException` with headers for its response, by name. */
export const RESPONSE_HEADERS = Symbol('RESPONSE_HEADERS');
