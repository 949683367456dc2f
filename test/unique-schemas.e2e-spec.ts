import { jest } from '@jest/globals';
import { Controller, Get, Logger, Module, type Type } from '@nestjs/common';
import {
  ApiExtraModels,
  ApiProperty,
  type ApiPropertyOptions,
  type OpenAPIObject,
} from '@nestjs/swagger';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';

const SOLUTION =
  'Rename one of the classes, or set its @ApiSchema({ name }). Of an enum, change the enumName.';

/** Creates a DTO class. Those of the same name are different classes. */
function createDto(name: string, options: ApiPropertyOptions): Type {
  const Dto = { [name]: class {} }[name] as Type;
  ApiProperty(options)(Dto.prototype as object, 'value');
  return Dto;
}

/** Creates the feature `cats` or `dogs`, whose document contains the schemas of DTO classes. */
function createFeature(name: 'cats' | 'dogs', ...dtos: Type[]): Type {
  @Controller(name)
  @ApiExtraModels(...dtos)
  class FixtureController {
    @Get()
    list() {
      return [];
    }
  }
  @Module({ controllers: [FixtureController] })
  class FixtureModule {}
  const className = { cats: 'CatsModule', dogs: 'DogsModule' }[name];
  Object.defineProperty(FixtureController, 'name', { value: `${className}Controller` });
  Object.defineProperty(FixtureModule, 'name', { value: className });
  return FixtureModule;
}

describe('start-up', () => {
  const text = () => createDto('Pet', { type: String });
  const number = () => createDto('Pet', { type: Number });
  const status = (...values: string[]) =>
    createDto(`Pet${values.length}`, { enum: values, enumName: 'Status' });

  it.each([
    [
      'two features have different DTOs of one name',
      () => [createFeature('cats', text()), createFeature('dogs', number())],
      'CatsModule and DogsModule have different DTOs or enums of the name Pet.',
    ],
    [
      'a feature has different DTOs of one name',
      () => [createFeature('cats', text(), number())],
      'CatsModule: Duplicate DTO detected: "Pet" is defined multiple times with different schemas.',
    ],
    [
      'a feature has a DTO with the name of one of the platform',
      () => [createFeature('cats', createDto('ValidationError', { type: String }))],
      'CatsModule and the platform have different DTOs or enums of the name ValidationError.',
    ],
    [
      'two features have different enums of one name',
      () => [createFeature('cats', status('a', 'b')), createFeature('dogs', status('a'))],
      'CatsModule and DogsModule have different DTOs or enums of the name Status.',
    ],
  ])('is aborted if %s', async (_, createFeatures, message) => {
    await expect(createTestApp({ features: createFeatures() })).rejects.toThrow(
      `${message} ${SOLUTION}`,
    );
    // The document is not created.
    await createTestApp({ features: createFeatures(), settings: { DOCS: 'false' } });
  });

  it('logs a warning of a DTO instead of being aborted', async () => {
    const warn = jest.spyOn(Logger, 'warn');
    const type = () => {
      Logger.warn('resolving', 'PetDto');
      return String;
    };
    await createTestApp({ features: [createFeature('cats', createDto('Pet', { type }))] });
    expect(warn).toHaveBeenCalledWith('resolving', 'PetDto');
    warn.mockRestore();
  });

  it('accepts a DTO that two features share, and equal DTOs of one name', async () => {
    const shared = text();
    const { app } = await createTestApp({
      features: [createFeature('cats', shared, text()), createFeature('dogs', shared)],
    });
    const response = await request(app.getHttpServer()).get('/openapi.json').expect(200);
    const { components } = response.body as OpenAPIObject;
    expect(components?.schemas).toHaveProperty('Pet');
  });
});
