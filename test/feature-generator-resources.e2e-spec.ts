import { execFile, type ExecFileException } from 'node:child_process';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { type Service, startService, stopService } from './fixtures/process.js';
import { copyProject } from './fixtures/project.js';

// Each run of the generator compiles the project.
jest.setTimeout(900_000);

const TYPES = [
  'string',
  'int',
  'number',
  'boolean',
  'date',
  'date-time',
  'email',
  'uuid',
  'url',
  'string(1..80)',
  'int(0..30)',
  'number(0..)',
  'dog|big cat|Häsin',
];
const EVERY_TYPE = Object.fromEntries(
  TYPES.flatMap((type, i) =>
    ['', '?', '[]', '[]?', '[][]', '[][]?'].map(
      (suffix, j) => [`field_${i}_${j}`, `${type}${suffix}`] as const,
    ),
  ),
);
const UNIQUE_TYPES = ['string(..600)', 'int', 'number', 'date', 'date-time', 'email', 'uuid'];
const PET = {
  feature: 'pet',
  description: 'Pets',
  resource: true,
  owned: true,
  fields: {
    ...EVERY_TYPE,
    // Key words of JavaScript and SQL, and names that the generated code uses itself.
    ...Object.fromEntries(
      ['class', 'order', 'default', 'query', 'row', 'response', 'list', 'body'].map(
        (name) => [name, 'string(1..80)?!filter'] as const,
      ),
    ),
    ...Object.fromEntries(
      UNIQUE_TYPES.flatMap((type, i) => [
        [`unique_${i}`, `${type}!unique`] as const,
        [`filter_${i}`, `${type}?!unique!filter`] as const,
      ]),
    ),
    mother: 'ref(pet)?',
    owner: 'ref(owner_profile)',
  },
};
const OWNER_PROFILE = `# Owner profiles

- feature: owner_profile
- description: Profiles of owners
- resource: true
- owned: true
- fields:
  - name: \`string(1..80)!unique\`
`;
const RESOURCES = ['clinic', 'vaccine', 'owner-profile', 'pet', 'vet-visit'];

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

let project: string;

function run(command: string, args: string[], { input = '', env = {} } = {}): Promise<Result> {
  return new Promise((done) => {
    const options = {
      cwd: project,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      maxBuffer: 64 * 1024 ** 2,
    };
    const callback = (error: ExecFileException | null, stdout: string, stderr: string) => {
      done({ code: Number(error?.code ?? 0), stdout, stderr });
    };
    execFile(command, args, options, callback).stdin?.end(input);
  });
}

function generate(...args: string[]): Promise<Result> {
  return run(process.execPath, ['packages/generator/src/main.js', ...args]);
}

function generateFrom(input: string): Promise<Result> {
  return run(process.execPath, ['packages/generator/src/main.js', '--payload', '-'], { input });
}

async function listMigrations(): Promise<string[]> {
  const files = await readdir(join(project, 'src/migrations'));
  return files.map((file) => file.replace(/^\d{14}_/, '')).sort();
}

/** Matches the whole text. */
function matching(pattern: RegExp): string {
  return expect.stringMatching(pattern) as string;
}

/** The results of the commands that create the resources. */
let created: Result[];

beforeAll(async () => {
  project = await copyProject();
  const field = '--field';
  const clinic = ['clinic', '--description', 'Clinics', '--resource', '--public'];
  const vaccine = ['vaccine', '--resource', '--path', '/vaccines'];
  const visit = ['vet_visit', '--description', 'Visits', '--resource', '--owned'];
  const references = ['pet:ref(pet)!unique', 'other_pet:ref(pet)', 'clinic:ref(clinic)'];
  created = [
    await generate(...clinic, field, 'name:string(1..80)', field, 'beds:int?!filter'),
    await generate(...vaccine, field, 'name:string(1..80)!unique'),
    await generateFrom(OWNER_PROFILE),
    await generateFrom(JSON.stringify(PET)),
    await generate(...visit, ...references.flatMap((reference) => [field, reference])),
  ];
});

describe('npm run feature -- --resource', () => {
  it.each([
    ['--public', 'public: only a resource can be public. Add "resource": true (--resource).'],
    [
      '--field=name:string!unique',
      'fields.name: "string!unique" is not a type. Only the fields of a resource have modifiers and references: add "resource": true (--resource).',
    ],
  ])('is required for %s', async (option, error) => {
    expect(await generate('toy', '--description', 'Toys', option)).toEqual({
      code: 2,
      stdout: '',
      stderr: `${error}\n`,
    });
  });

  it('creates the files of a resource', () => {
    expect(created.map(({ code, stderr }) => [code, stderr])).toEqual(RESOURCES.map(() => [0, '']));
    expect(
      created[0]?.stdout
        .replace(/\d{14}/, 'VERSION')
        .trimEnd()
        .split('\n'),
    ).toEqual([
      'created src/features/clinic/README.md',
      'created src/features/clinic/clinic.controller.ts',
      'created src/features/clinic/clinic.module.ts',
      'created src/features/clinic/clinic.repository.ts',
      'created src/features/clinic/clinic.service.ts',
      'created src/features/clinic/clinic.table.ts',
      'created src/features/clinic/dto/clinic-page.dto.ts',
      'created src/features/clinic/dto/clinic.dto.ts',
      'created src/features/clinic/dto/create-clinic.dto.ts',
      'created src/features/clinic/dto/list-clinics-query.dto.ts',
      'created src/features/clinic/dto/update-clinic.dto.ts',
      'created src/migrations/VERSION_create_clinics.sql',
      'created test/features/clinic.e2e-spec.ts',
      'updated openapi.json',
    ]);
  });

  it('rejects a reference to a resource that does not exist', async () => {
    const toy = ['toy', '--description', 'Toys', '--resource', '--field', 'owner:ref(owner)'];
    expect(await generate(...toy)).toEqual({
      code: 3,
      stdout: '',
      stderr:
        'toy: the field owner references owner, which is no generated resource in src/features. Create it first with --resource.\n',
    });
  });
});

describe('npm run feature -- --add-field', () => {
  it.each([
    [
      'a feature without storage',
      ['smoke_test', '--add-field', 'a:int?'],
      3,
      /^smoke_test: there is no resource /,
    ],
    [
      'another option',
      ['vaccine', '--add-field', 'a:int?', '--path', '/a'],
      2,
      /^--add-field needs /,
    ],
    ['a required field', ['vaccine', '--add-field', 'a:int!filter'], 2, / Use a:int\?!filter\.\n$/],
  ])('rejects %s', async (_, args, code, stderr) => {
    expect(await generate(...args)).toEqual({ code, stdout: '', stderr: matching(stderr) });
  });

  it('writes a migration and the code, and keeps edits', async () => {
    const readme = join(project, 'src/features/vaccine/README.md');
    await writeFile(
      readme,
      (await readFile(readme, 'utf8')).replace('# Vaccine', '# Our vaccines'),
    );
    const service = join(project, 'src/features/vaccine/vaccine.service.ts');
    await appendFile(service, '// Edited.\n');
    const args = [
      'vaccine',
      '--add-field',
      'doses:int(1..9)?!filter',
      '--add-field',
      'maker:ref(clinic)?',
    ];

    const dryRun = await generate(...args, '--dry-run');
    expect(dryRun.stdout).toContain('would write src/features/vaccine/vaccine.table.ts\n');
    expect(dryRun.stdout).toContain('\n+          "doses": {\n');
    expect(await readFile(readme, 'utf8')).not.toContain('"doses"');

    const { code, stdout, stderr } = await generate(...args);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^wrote src\/migrations\/\d{14}_add_doses_maker_to_vaccines\.sql$/m);
    expect(stdout).toContain(
      '\nmerged src/features/vaccine/README.md\nmerged src/features/vaccine/vaccine.service.ts\n',
    );
    expect(await readFile(readme, 'utf8')).toMatch(
      /^# Our vaccines\n[^]*"doses": "int\(1\.\.9\)\?!filter"/,
    );
    expect(await readFile(service, 'utf8')).toMatch(/ doses: body\.doses,[^]*\/\/ Edited\.\n$/);
  });
});

describe('generated resources', () => {
  beforeAll(async () => {
    expect(await run('npm', ['run', 'build'])).toMatchObject({ code: 0 });
    expect(await run(process.execPath, ['scripts/openapi.js'])).toMatchObject({ code: 0 });
  });

  it('pass their tests', async () => {
    const args = ['run', 'jest', '--', '--selectProjects', 'e2e', '--watchman=false'];
    const { code, stderr } = await run('npm', [
      ...args,
      ...RESOURCES.map((name) => `test/features/${name}`),
    ]);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
    expect(stderr).toContain(
      `Test Suites: ${RESOURCES.length} passed, ${RESOURCES.length} total\n`,
    );
  });

  it('pass npm run check', async () => {
    // The parts of npm run check that can fail because of a generated file.
    for (const command of [
      ['prettier/bin/prettier.cjs', '--check', 'src/features', 'test/features'],
      ['eslint/bin/eslint.js', 'src/features', 'test/features'],
      ['typescript-7/bin/tsc', '--noEmit'],
      ['dependency-cruiser/bin/dependency-cruise.mjs', 'src'],
      ['../scripts/openapi.js', '--check'],
    ]) {
      const [script = '', ...args] = command;
      const result = await run(process.execPath, [join('node_modules', script), ...args]);
      expect([command, result]).toEqual([command, expect.objectContaining({ code: 0 })]);
    }
  });

  describe('in the built service', () => {
    let service: Service;

    beforeAll(async () => {
      service = await startService({ cwd: project });
    });

    afterAll(async () => {
      await stopService(service);
    });

    async function smoke(env: Record<string, string>): Promise<[number, string[]]> {
      const paths = ['/api/v1/*', '/vaccines*'];
      const args = paths.flatMap((path) => ['--include', path]);
      const { code, stdout } = await run(
        process.execPath,
        ['packages/smoke-runner/dist/main.js', ...args, service.url],
        { env },
      );
      return [code, stdout.replace(/ [\d.]+ m?s$/gm, '').split('\n')];
    }

    const lists = ['/api/v1/owner-profiles', '/api/v1/pets', '/api/v1/vet-visits', '/vaccines'];

    it('are read by the smoke runner, which skips what needs a token', async () => {
      const [code, lines] = await smoke({});
      expect(code).toBe(0);
      expect(lines).toEqual(
        expect.arrayContaining([
          '✓ GET /api/v1/clinics',
          '✓ HEAD /api/v1/clinics',
          '- POST /api/v1/clinics skipped: not known to be safe to call',
          ...lists.map((path) => `- GET ${path} skipped: requires credentials`),
        ]),
      );
    });

    it('are read by the smoke runner with a token, and not changed', async () => {
      const token = await run(process.execPath, ['scripts/token.js', '--sub', 'alice']);
      const SMOKE_TOKEN = token.stdout.trim();
      const [code, lines] = await smoke({ SMOKE_TOKEN });
      expect([code, lines]).toEqual([
        0,
        expect.arrayContaining(lists.flatMap((path) => [`✓ GET ${path}`, `✓ HEAD ${path}`])),
      ]);
      for (const path of [...lists, '/api/v1/clinics']) {
        const headers = { Authorization: `Bearer ${SMOKE_TOKEN}` };
        const response = await fetch(`${service.url}${path}`, { headers });
        expect([path, await response.json()]).toEqual([path, { items: [], nextCursor: null }]);
      }
    });
  });
});

describe('npm run feature -- --remove', () => {
  it('does not remove a resource that another one references', async () => {
    expect(await generate('--remove', 'pet', '--force')).toEqual({
      code: 3,
      stdout: '',
      stderr: 'pet: vet_visit references it. Remove that first.\n',
    });
  });

  it('removes the code, and keeps the migrations and the data', async () => {
    const migrations = await listMigrations();
    const { code, stdout, stderr } = await generate('--remove', 'vet_visit');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /\nkept the table vet_visits, its data, and the migrations\. To delete them, write a migration: drop table vet_visits;\n$/,
    );
    expect(await listMigrations()).toEqual(migrations);
    expect(await readdir(join(project, 'src/features'))).not.toContain('vet-visit');
    expect(await readdir(join(project, 'test/features'))).not.toContain('vet-visit.e2e-spec.ts');
  });

  it('leaves a table that another resource cannot have', async () => {
    const visit = ['vet_visit', '--description', 'Visits', '--resource', '--field', 'a:int'];
    expect(await generate(...visit)).toEqual({
      code: 3,
      stdout: '',
      stderr: matching(
        /^vet_visit: the table vet_visits already exists: src\/migrations\/\d{14}_create_vet_visits\.sql creates it\. Choose another name or, if the migration was never deployed, delete it and run: npm run database -- --reset\n$/,
      ),
    });
  });
});
