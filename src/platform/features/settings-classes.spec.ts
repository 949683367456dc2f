import { type DynamicModule, forwardRef, Module } from '@nestjs/common';
import { IsString } from 'class-validator';
import { SettingsModule } from '../settings/settings.module.js';
import { findSettingsClasses } from './settings-classes.js';

function createSettings() {
  class PetSettings {
    @IsString()
    PET_NAME: string = 'Rex';
  }
  return PetSettings;
}

const Own = createSettings();
const Imported = createSettings();
const Dynamic = createSettings();
const Late = createSettings();
const Circular = createSettings();

@Module({ imports: [SettingsModule.forFeature(Imported)] })
class StorageModule {}

@Module({ imports: [SettingsModule.forFeature(Late)] })
class LateModule {
  static register(): Promise<DynamicModule> {
    return Promise.resolve({ module: LateModule, imports: [SettingsModule.forFeature(Dynamic)] });
  }
}

@Module({
  imports: [
    SettingsModule.forFeature(Circular),
    forwardRef(() => PetsModule),
    forwardRef(() => StorageModule),
  ],
})
class OwnersModule {}

@Module({
  imports: [
    SettingsModule.forFeature(Own),
    StorageModule,
    LateModule.register(),
    forwardRef(() => OwnersModule),
  ],
})
class PetsModule {}

describe('findSettingsClasses', () => {
  it('returns nothing without features', async () => {
    expect(await findSettingsClasses([])).toEqual([]);
  });

  it('finds the classes of static, dynamic, asynchronous, and circular imports, each of them once', async () => {
    const found = await findSettingsClasses([PetsModule, StorageModule]);
    expect(found).toHaveLength(5);
    expect(new Set(found)).toEqual(new Set([Own, Imported, Dynamic, Late, Circular]));
  });

  it('finds the classes of a dynamic module that is a feature', async () => {
    expect(await findSettingsClasses([SettingsModule.forFeature(Own)])).toEqual([Own]);
  });

  it('leaves an undefined import to Nest', async () => {
    expect(await findSettingsClasses([undefined as never, StorageModule])).toEqual([Imported]);
  });
});
