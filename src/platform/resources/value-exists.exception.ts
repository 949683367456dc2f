import { ConflictException } from '@nestjs/common';

/** A 409: another resource has the same value in a field that is unique. */
export class ValueExistsException extends ConflictException {
  constructor(field: string, input: unknown) {
    super({
      detail: [{ type: 'unique', loc: ['body', field], msg: 'Value already exists', input }],
    });
  }
}
