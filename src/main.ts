import { Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Config } from './platform/config.js';

try {
  // Settings and features are checked while their modules load, so a wrong one ends up here too.
  const { createApp } = await import('./app.js');
  const app = await createApp();
  const config = app.get<Config>(ConfigService);
  await app.listen(config.get('PORT', { infer: true }), config.get('HOST', { infer: true }));
  new Logger('Main').log(`Listening on ${await app.getUrl()}, documentation at /docs`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
