// The service with a public and a protected handler.
import { Controller, Get } from '@nestjs/common';

const dist = new URL('../dist/', import.meta.url);
const { createApp } = await import(`${dist}app.js`);
const { AuthModule } = await import(`${dist}platform/auth/auth.module.js`);
const { Authenticated } = await import(`${dist}platform/auth/authenticated.decorator.js`);
const { findSettingsClasses } = await import(`${dist}platform/features/settings-classes.js`);
const { openLogDestination } = await import(`${dist}platform/logging/log-output.js`);
const { parseSettings } = await import(`${dist}platform/settings/parse-settings.js`);

const RESPONSE = { status: 'ok' };

class PetsController {
  findPublic() {
    return RESPONSE;
  }

  findProtected() {
    return RESPONSE;
  }
}
decorate('findPublic', Get('public'));
decorate('findProtected', Get('protected'), Authenticated());
Controller('pets')(PetsController);

/**
 * @param {keyof PetsController} name
 * @param {MethodDecorator[]} decorators
 */
function decorate(name, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(PetsController.prototype, name) ?? {};
  for (const each of decorators) each(PetsController.prototype, name, descriptor);
}

const features = [{ module: PetsController, imports: [AuthModule], controllers: [PetsController] }];
const { settings, featureSettings } = parseSettings(
  process.env,
  await findSettingsClasses(features),
);
const log = await openLogDestination(settings);
const app = await createApp(settings, { log, featureSettings, features });
await app.listen(settings.PORT, settings.HOST);
