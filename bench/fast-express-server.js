// The service with 30 features, without the optimizations that are named as arguments.
import { Controller, Delete, Get, Patch, Post } from '@nestjs/common';

const dist = new URL('../dist/', import.meta.url);
const { createApp } = await import(`${dist}app.js`);
const { openLogDestination } = await import(`${dist}platform/logging/log-output.js`);
const { parseSettings } = await import(`${dist}platform/settings/parse-settings.js`);

const RESPONSE = { status: 'ok' };

/**
 * Creates a module with a controller of five routes.
 *
 * @param {number} number
 */
function createFeature(number) {
  class ItemsController {
    response = RESPONSE;
  }
  const routes = {
    list: Get(),
    create: Post(),
    read: Get(':id'),
    update: Patch(':id'),
    remove: Delete(':id'),
  };
  for (const [name, decorate] of Object.entries(routes)) {
    const descriptor = { value: () => RESPONSE };
    Object.defineProperty(ItemsController.prototype, name, descriptor);
    decorate(ItemsController.prototype, name, descriptor);
  }
  Controller(`items-${number}`)(ItemsController);
  return { module: ItemsController, controllers: [ItemsController] };
}

const { settings, featureSettings } = parseSettings(process.env);
const log = await openLogDestination(settings);
const app = await createApp(settings, {
  log,
  featureSettings,
  features: Array.from({ length: 30 }, (_, index) => createFeature(index + 1)),
  optimizations: Object.fromEntries(process.argv.slice(2).map((name) => [name, false])),
});
await app.listen(settings.PORT, settings.HOST);
