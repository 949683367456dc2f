import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import globals from 'globals';
import tseslint from 'typescript-eslint';

export default defineConfig(
  {
    ignores: [
      'bench/peers/dist/',
      'bench/peers/.venv/',
      'bench/peers/nest/',
      'test/clients/**/typescript/',
      // Its packages are not installed.
      'test/fixtures/features/third-party/',
      '.dev/',
      'dist/',
      'packages/*/dist/',
      'coverage/',
    ],
  },
  {
    files: ['**/*.js'],
    extends: [js.configs.recommended, tseslint.configs.strict, tseslint.configs.stylistic],
    languageOptions: { globals: globals.node },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: 'tsconfig.json' } },
    rules: {
      // Modules have no members, and neither have the DTOs and entities of `nest generate resource`.
      '@typescript-eslint/no-extraneous-class': [
        'error',
        { allowWithDecorator: true, allowEmpty: true },
      ],
      // The services of `nest generate resource` ignore their parameters until they are implemented.
      '@typescript-eslint/no-unused-vars': ['error', { args: 'none' }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // Tests build DTOs as object literals that have the shape of the class.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // A DTO declares the type of each field: Nest reads the types at run time.
      '@typescript-eslint/no-inferrable-types': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/platform/settings/load-settings.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message:
            "Declare a settings class in the feature's folder (docs/features.md) and inject it.",
        },
      ],
    },
  },
  {
    files: ['src/**/*.controller.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...[
          'ImportDeclaration[importKind="type"][source.value=/\\.dto\\.js$/]',
          'ImportDeclaration[source.value=/\\.dto\\.js$/] > ImportSpecifier[importKind="type"]',
        ].map((selector) => ({
          selector,
          message: 'Import the DTO as a value: a type-only import disables its validation.',
        })),
      ],
    },
  },
);
