import { SetMetadata } from '@nestjs/common';

/**
 * Marks a handler, or all handlers of a controller, as public, with the metadata key of the chapter
 * "Authentication" in Nest's documentation. Its global guard lets requests to these handlers pass.
 */
export const PublicRoute = () => SetMetadata('isPublic', true);
