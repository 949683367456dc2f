import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Type } from '@nestjs/common';
import { type ParsedSettings, parseSettings } from './parse-settings.js';

/**
 * Reads the settings from the environment and from a `.env` file in the working directory. The
 * environment takes precedence.
 *
 * @throws AggregateError as {@link parseSettings} does
 */
export function loadSettings(featureClasses: Type<object>[]): ParsedSettings {
  const file = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  return parseSettings({ ...file, ...process.env }, featureClasses);
}
