import { parseField } from './fields.js';

describe('parseField', () => {
  it('describes a required field', () => {
    expect(parseField('age', 'int')).toEqual({
      name: 'age',
      type: 'int',
      isOptional: false,
      tsType: '(number)',
      decorators: ['@IsInt()'],
      imports: ['IsInt'],
      platformImports: [],
      apiProperty: { type: 'integer', example: 3 },
      example: 3,
      invalidExample: 'three',
    });
  });

  it('describes an optional field as nullable', () => {
    expect(parseField('age', 'int?')).toMatchObject({
      isOptional: true,
      tsType: '(number) | null',
      decorators: ['@IsOptional()', '@IsInt()'],
      apiProperty: { type: 'integer', nullable: true },
    });
  });

  it.each([
    ['date', '@IsDateText()'],
    ['date-time', '@IsDateTimeText()'],
  ])('validates a %s with a decorator of the platform', (type, decorator) => {
    for (const isStored of [false, true]) {
      expect(parseField('at', type, isStored)).toMatchObject({
        decorators: [decorator],
        imports: [],
        platformImports: [decorator.slice(1, -2)],
      });
    }
  });

  it('omits the type that Swagger reads from the metadata', () => {
    expect(parseField('name', 'string')?.apiProperty).toEqual({ example: 'text' });
  });

  it('describes a list', () => {
    expect(parseField('emails', 'email[]')).toMatchObject({
      tsType: '(string)[]',
      decorators: ['@IsArray()', '@IsEmail({}, { each: true })'],
      apiProperty: { type: 'array', items: { type: 'string', format: 'email' } },
      example: ['rex@example.com'],
    });
  });

  it('describes a nested list of choices', () => {
    const field = parseField('pairs', 'dog|cat[][]');
    expect(field).toMatchObject({
      tsType: '("dog" | "cat")[][]',
      imports: ['IsArray', 'ValidateBy', 'isIn'],
      apiProperty: {
        type: 'array',
        items: { type: 'array', items: { type: 'string', enum: ['dog', 'cat'] } },
      },
      example: [['dog']],
    });
    expect(field?.decorators[1]).toContain('isIn(item, ["dog","cat"])');
  });

  it.each([
    ['string(1..80)', ['@MinLength(1)', '@MaxLength(80)'], 'text', ''],
    ['string(..3)', ['@MaxLength(3)'], 'tex', 5],
    ['string(6..)', ['@MinLength(6)'], 'text t', ''],
    ['int(0..30)', ['@Min(0)', '@Max(30)'], 3, -1],
    ['int(..-5)', ['@Max(-5)'], -5, -4],
    ['number(2.5..)', ['@Min(2.5)'], 2.5, 1.5],
  ])('limits %s', (type, decorators, example, invalidExample) => {
    const field = parseField('value', type);
    expect(field?.decorators.slice(1)).toEqual(decorators);
    expect(field).toMatchObject({ example, invalidExample });
  });

  it('documents limits', () => {
    expect(parseField('name', 'string(1..80)?')?.apiProperty).toMatchObject({
      minLength: 1,
      maxLength: 80,
    });
    expect(parseField('ages', 'int(0..30)[]')?.apiProperty).toMatchObject({
      items: { type: 'integer', minimum: 0, maximum: 30 },
    });
  });
});
