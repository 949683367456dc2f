import { readFile } from 'node:fs/promises';
import { Body, Controller, Injectable, Module, Param, Patch, Post } from '@nestjs/common';
import { ApiConflictResponse } from '@nestjs/swagger';
import { sql } from 'kysely';
import request from 'supertest';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import {
  describeValueExists,
  ValueExistsException,
} from '../../src/platform/resources/value-exists.exception.js';
import { getViolatedConstraint } from '../../src/platform/resources/violated-constraint.js';
import { createTestApp, type TestApp } from '../fixtures/app.js';

interface Stay {
  kennel: string;
  day: string;
}

@Injectable()
class StaysRepository {
  constructor(private readonly database: DatabaseService<{ stays: Stay }>) {}

  async create(row: Stay): Promise<void> {
    try {
      await this.database.db.insertInto('stays').values(row).execute();
    } catch (error) {
      throw toHttpException(error, row);
    }
  }

  async update(kennel: string, changes: Partial<Stay>): Promise<void> {
    const query = this.database.db.updateTable('stays').set(changes);
    try {
      await query.where('kennel', '=', kennel).execute();
    } catch (error) {
      throw toHttpException(error, changes);
    }
  }
}

function toHttpException(error: unknown, values: Partial<Stay>): unknown {
  switch (getViolatedConstraint(error)) {
    case 'stays_kennel_day_key':
      // A PATCH may contain only one of the fields.
      if (values.day === undefined) return new ValueExistsException('kennel', values.kennel);
      return new ValueExistsException('day', values.day);
    default:
      return error;
  }
}

@Controller('stays')
class StaysController {
  constructor(private readonly repository: StaysRepository) {}

  @Post()
  @ApiConflictResponse(describeValueExists('day', '2027-01-31'))
  async create(@Body() body: Stay): Promise<void> {
    await this.repository.create(body);
  }

  @Patch(':kennel')
  @ApiConflictResponse(describeValueExists('day', '2027-01-31'))
  async update(@Param('kennel') kennel: string, @Body() body: Partial<Stay>): Promise<void> {
    await this.repository.update(kennel, body);
  }
}

@Module({
  imports: [DatabaseModule],
  controllers: [StaysController],
  providers: [StaysRepository],
})
class StaysModule {}

describe('a unique constraint of several columns', () => {
  let server: ReturnType<TestApp['app']['getHttpServer']>;
  let constraint = '';
  let code = '';

  beforeAll(async () => {
    const document = await readFile('docs/resources.md', 'utf8');
    [, constraint = '', code = ''] =
      /\n```sql\n(alter table stays [^`]*)```\n\n```ts\n([^`]*)```/.exec(document) ?? [];
    const { app } = await createTestApp({ features: [StaysModule] });
    server = app.getHttpServer();
    const { db } = app.get(DatabaseService, { strict: false });
    await sql`create table stays (kennel text not null, day date not null)`.execute(db);
    await sql.raw(constraint).execute(db);
  });

  it('has its code in docs/resources.md', async () => {
    const source = await readFile('test/recipes/unique-columns.e2e-spec.ts', 'utf8');
    const parts = code.split('\n\n').map((part) => part.replaceAll(/\s+/g, ' ').trim());
    expect(parts).toHaveLength(2);
    for (const part of parts) expect(source.replaceAll(/\s+/g, ' ')).toContain(part);
    const response = parts[1] ?? '';
    expect(source.replaceAll(/\s+/g, ' ').split(`${response} async`)).toHaveLength(3);
  });

  it('is a 409 of the field that was sent', async () => {
    const exists = (field: string, input: string) => ({
      detail: [{ type: 'unique', loc: ['body', field], msg: 'Value already exists', input }],
    });
    const day = '2027-01-31';
    await request(server).post('/stays').send({ kennel: 'A', day }).expect(201);
    await request(server).post('/stays').send({ kennel: 'A', day }).expect(409, exists('day', day));
    await request(server).post('/stays').send({ kennel: 'B', day }).expect(201);
    await request(server)
      .patch('/stays/B')
      .send({ kennel: 'A' })
      .expect(409, exists('kennel', 'A'));
  });
});
