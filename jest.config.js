import { availableParallelism } from 'node:os';
import vm from 'node:vm';

// Nest 12 consists of ES modules only, which Jest loads only with this option of Node.
if (!('SourceTextModule' in vm)) {
  process.stderr.write(
    'Jest needs NODE_OPTIONS=--experimental-vm-modules. Run: npm run jest -- <arguments>\n',
  );
  process.exit(1);
}

const shared = {
  testEnvironment: 'node',
  // Its tests run in a copy of the project.
  modulePathIgnorePatterns: ['<rootDir>/test/fixtures/tutorial/'],
  extensionsToTreatAsEsm: ['.ts'],
  // TypeScript's ES modules import './x.js'; the file on disk is './x.ts'.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: {
            legacyDecorator: true,
            decoratorMetadata: true,
            useDefineForClassFields: false,
          },
        },
        module: { type: 'es6' },
      },
    ],
  },
};

export default {
  // Many tests wait: for a process, a time limit, or the next poll of jobs.
  maxWorkers: availableParallelism() + 1,
  // A limit against hanging, not a measure: machines are busy.
  testTimeout: 180_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      roots: ['<rootDir>/src', '<rootDir>/packages'],
      testRegex: '\\.spec\\.ts$',
    },
    { ...shared, displayName: 'e2e', roots: ['<rootDir>/test'], testRegex: '\\.e2e-spec\\.ts$' },
    // End-to-end tests that use a database, which is embedded in the project e2e.
    {
      ...shared,
      displayName: 'postgres',
      roots: ['<rootDir>/test'],
      testRegex: '/(features/.*|(database|resources)[^/]*)\\.e2e-spec\\.ts$',
      globalSetup: '<rootDir>/test/fixtures/postgres-set-up.js',
      globalTeardown: '<rootDir>/test/fixtures/postgres-tear-down.js',
    },
    {
      ...shared,
      displayName: 'database',
      roots: ['<rootDir>/test'],
      testRegex: '\\.database-spec\\.ts$',
    },
    {
      ...shared,
      displayName: 'browser',
      roots: ['<rootDir>/test'],
      testRegex: '\\.browser-spec\\.ts$',
    },
    {
      ...shared,
      displayName: 'image',
      roots: ['<rootDir>/test'],
      testRegex: '\\.image-spec\\.ts$',
    },
  ],
};
