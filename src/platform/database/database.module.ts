import { Module } from '@nestjs/common';
import { SettingsModule } from '../settings/settings.module.js';
import { DatabasePool } from './database-pool.js';
import { DatabaseIndicator } from './database.indicator.js';
import { DatabaseService } from './database.service.js';
import { DatabaseSettings } from './database.settings.js';
import { MigrationsIndicator } from './migrations.indicator.js';
import { MigratorService } from './migrator.service.js';

/** Provides `DatabaseService`. A module that stores data imports it. */
@Module({
  imports: [SettingsModule.forFeature(DatabaseSettings)],
  providers: [
    DatabasePool,
    DatabaseService,
    MigratorService,
    DatabaseIndicator,
    MigrationsIndicator,
  ],
  exports: [DatabaseService, MigratorService],
})
export class DatabaseModule {}
