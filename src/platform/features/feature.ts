import type { Type } from '@nestjs/common';

/** A feature's module class and the file that exports it. */
export interface Feature {
  module: Type;
  file: string;
}
