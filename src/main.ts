import { Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Config } from './platform/config.js';

try {
  // Settings and features are checked while their modules load, so a wrong one ends up here too.
  const { createApp } = await import('./app.js');
  await listen(await createApp());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

async function listen(app: NestExpressApplication): Promise<void> {
  const config = app.get<Config>(ConfigService);
  const port = config.get('PORT', { infer: true });
  const host = config.get('HOST', { infer: true });
  await app.init();
  try {
    await app.listen(port, host);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `Cannot listen on ${host}:${port} (${code}). Set PORT and HOST to an address that is free.`,
      { cause: error },
    );
  }
  new Logger('Main').log(`Listening on ${await app.getUrl()}, documentation at /docs`);
}
