import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { StartupError } from '../startup-error.js';
import { FeatureSettings } from './parse-settings.js';

/**
 * Provides the settings of a feature.
 *
 * @example
 * ```ts
 * @Module({ imports: [SettingsModule.forFeature(PetProfileSettings)] })
 * export class PetProfileModule {}
 * ```
 */
@Module({})
export class SettingsModule {
  static forFeature(type: Type<object>): DynamicModule {
    return {
      module: SettingsModule,
      providers: [
        {
          provide: type,
          useFactory: (featureSettings: FeatureSettings) => getSettings(type, featureSettings),
          inject: [FeatureSettings],
        },
      ],
      // findSettingsClasses() reads the class here, before the application is created.
      exports: [type],
    };
  }
}

function getSettings(type: Type<object>, featureSettings: FeatureSettings): object {
  const settings = featureSettings.get(type);
  if (settings === undefined) {
    throw new StartupError(
      `${type.name}: no feature imports SettingsModule.forFeature(${type.name}) at start-up. Add it to the imports of the feature's @Module(), or of a module that it imports.`,
    );
  }
  return settings;
}
