import { UnprocessableEntityException } from '@nestjs/common';

/** A 422: the body refers to a resource that does not exist. */
export class ReferenceNotFoundException extends UnprocessableEntityException {
  /** @param resource name of the resource for people, such as `owner profile` */
  constructor(field: string, resource: string, input: unknown) {
    super({
      detail: [
        { type: 'reference', loc: ['body', field], msg: `Referenced ${resource} not found`, input },
      ],
    });
  }
}
