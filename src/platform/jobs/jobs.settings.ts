import { Flag } from '../settings/setting.decorators.js';

/** Settings of `JobsModule`. */
export class JobsSettings {
  /** Whether this process runs jobs when they are due. */
  @Flag()
  JOBS: boolean = true;
}
