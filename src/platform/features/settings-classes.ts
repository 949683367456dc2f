import type { DynamicModule, ForwardReference, ModuleMetadata, Type } from '@nestjs/common';
import { MODULE_METADATA } from '@nestjs/common/constants.js';
import { SettingsModule } from '../settings/settings.module.js';

type Imports = NonNullable<ModuleMetadata['imports']>;

/** Finds the classes that modules, or the modules that they import, pass to `SettingsModule.forFeature()`. */
export async function findSettingsClasses(modules: Imports): Promise<Type<object>[]> {
  const classes = new Set<Type<object>>();
  const found = new Set<Type | DynamicModule>();
  const pending = [...modules];
  for (const item of pending) {
    const module = (await item) as Type | DynamicModule | ForwardReference<() => Type> | undefined;
    // Nest reports an import that is undefined, for example a circular one.
    if (module === undefined) continue;
    if ('forwardRef' in module) {
      pending.push(module.forwardRef());
    } else if (!found.has(module)) {
      found.add(module);
      if (typeof module === 'function') {
        const imports = Reflect.getMetadata(MODULE_METADATA.IMPORTS, module) as Imports | undefined;
        pending.push(...(imports ?? []));
      } else {
        pending.push(module.module, ...(module.imports ?? []));
        if (module.module !== SettingsModule) continue;
        for (const type of module.exports ?? []) classes.add(type as Type<object>);
      }
    }
  }
  return [...classes];
}
