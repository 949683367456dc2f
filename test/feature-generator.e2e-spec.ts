import { execFile, type ExecFileException, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { jest } from '@jest/globals';
import { startService, stopService } from './fixtures/process.js';
import { copyProject } from './fixtures/project.js';
import { waitFor } from './fixtures/wait-for.js';

// Each run of the generator compiles the project.
jest.setTimeout(600_000);

const HOSTILE_TEXT =
  'It\'s "quoted" `ticks` ${process.exit(1)} */ process.exit(1) /* <%= 1 %> <script>alert(1)</script>\n# Head\n- [x](javascript:alert(1)) | **b** ```\n\\u0027 \u2028 $& __proto__ 🐕';
const PLAIN = { feature: 'vet_tip', description: 'Tips of vets', requirements: 'none' };
const EVERY_TYPE = {
  feature: 'vet_visit',
  description: 'Visits to a vet.',
  requirements: ['An owner lists visits', 'A vet ends a visit'],
  fields: Object.fromEntries(
    [
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
      'dog|big cat|猫',
    ].flatMap((type, i) =>
      ['', '?', '[]', '[]?', '[][]', '[][]?'].map(
        (suffix, j) => [`field_${i}_${j}`, `${type}${suffix}`] as const,
      ),
    ),
  ),
};
const HOSTILE_TEXTS = {
  feature: 'hostile_texts',
  path: '/api/v1/texts',
  description: HOSTILE_TEXT,
  requirements: [HOSTILE_TEXT, '1. one', '- two', '```js', '# three', HOSTILE_TEXT],
  fields: { note: 'string', class: 'string', static: 'string?', then: 'string' },
};

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** The part of the OpenAPI document that describes the fields of {@link EVERY_TYPE}. */
interface Document {
  components: {
    schemas: {
      VetVisitRequest: {
        required: string[];
        properties: Record<string, { type: string | string[]; example: unknown }>;
      };
    };
  };
}

let project: string;
let originalFiles: Record<string, string>;

beforeAll(async () => {
  project = await copyProject();
  // Removes the features that were not copied from the document.
  await run('npm', ['run', 'openapi']);
  originalFiles = await readProject();
});

/** Reads every file of the project, except for build output. */
async function readProject(): Promise<Record<string, string>> {
  const entries = await readdir(project, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(project, join(parentPath, name)))
    .filter((path) => !/^((packages\/[^/]+\/)?dist|node_modules)\//.test(path));
  const contents = paths.map(async (path) => [path, await readFile(join(project, path), 'utf8')]);
  return Object.fromEntries(await Promise.all(contents)) as Record<string, string>;
}

/** Restores the files that {@link readProject} returned before. */
async function restoreProject(files: Record<string, string>): Promise<void> {
  await rm(join(project, 'src/features'), { recursive: true });
  await rm(join(project, 'test/features'), { recursive: true });
  const currentFiles = await readProject();
  for (const [path, content] of Object.entries(files)) {
    if (currentFiles[path] === content) continue;
    await mkdir(dirname(join(project, path)), { recursive: true });
    await writeFile(join(project, path), content);
  }
}

function run(command: string, args: string[], input = '') {
  return new Promise<Result>((done) => {
    const options = {
      cwd: project,
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
      maxBuffer: 64 * 1024 ** 2,
    };
    const child = execFile(
      command,
      args,
      options,
      (error: ExecFileException | null, stdout, stderr) => {
        done({ code: Number(error?.code ?? 0), stdout, stderr });
      },
    );
    child.stdin?.end(input);
  });
}

function generate(...args: string[]): Promise<Result> {
  return run(process.execPath, ['packages/generator/src/main.js', ...args]);
}

/** Generates a feature from a payload on standard input. */
function generateFrom(payload: unknown): Promise<Result> {
  const input = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return run(process.execPath, ['packages/generator/src/main.js', '--payload', '-'], input);
}

/** Splits the output of `--dry-run` into the lines about files and the lines of the diff. */
function splitDryRun(stdout: string): [files: string[], diff: string] {
  const [files = '', diff = ''] = stdout.split('--- a/openapi.json\n+++ b/openapi.json\n');
  return [files.trimEnd().split('\n'), diff];
}

function matching(pattern: RegExp): string {
  return expect.stringMatching(pattern) as string;
}

describe('npm run feature', () => {
  it('prints the options with --help', async () => {
    const { code, stdout } = await generate('--help');
    expect(code).toBe(0);
    for (const option of [
      '--description',
      '--requirement',
      '--field',
      '--path',
      '--payload',
      '--dry-run',
      '--remove',
      '--force',
    ]) {
      expect(stdout).toContain(option);
    }
  });

  it('succeeds when the reader of its output closes the pipe', async () => {
    const child = spawn(process.execPath, ['packages/generator/src/main.js', '--help'], {
      cwd: project,
    });
    child.stdout.destroy();
    const [close, stderr] = await Promise.all([once(child, 'close'), text(child.stderr)]);
    expect([close, stderr]).toEqual([[0, null], '']);
  });

  it('prints the files and the diff, and creates nothing, with --dry-run', async () => {
    const { code, stdout } = await generate('kennel_guest', '--description', 'x', '--dry-run');
    expect(code).toBe(0);
    const [files, diff] = splitDryRun(stdout);
    expect(files).toEqual([
      'would create src/features/kennel-guest/README.md',
      'would create src/features/kennel-guest/dto/kennel-guest-status.dto.ts',
      'would create src/features/kennel-guest/kennel-guest.controller.ts',
      'would create src/features/kennel-guest/kennel-guest.module.ts',
      'would create src/features/kennel-guest/kennel-guest.service.spec.ts',
      'would create src/features/kennel-guest/kennel-guest.service.ts',
      'would create test/features/kennel-guest.e2e-spec.ts',
    ]);
    expect(diff).toContain('\n+    "/kennel-guest/smoke-test": {\n');
    expect(diff).not.toMatch(/^-/m);
    expect(await readProject()).toEqual(originalFiles);
  });

  it.each([
    ['an unknown option', ['pets', '--nope'], /^Unknown option '--nope'.* See npm run feature /],
    ['no name', [], /^Expected the name of one feature, got 0 names\. See npm run feature /],
    ['two names', ['a', 'b'], /^Expected the name of one feature, got 2 names\. /],
    [
      'a name and a payload',
      ['pets', '--payload', 'x.json'],
      /^A feature name with options, --payload and --remove exclude each other\. /,
    ],
    [
      'a name and --remove',
      ['pets', '--remove', 'pets'],
      /^A feature name with options, --payload and --remove exclude each other\. /,
    ],
    ['--force without --remove', ['pets', '--force'], /^--force is only valid with --remove\. /],
    [
      'a field without a type',
      ['pets', '--field', 'a'],
      /^--field a: the type is missing\. Use NAME:TYPE, such as name:string\.\n$/,
    ],
    [
      'a duplicate field',
      ['pets', '--description', 'x', '--field', 'a:int', '--field', 'a:url'],
      /^--field a:url: the name is already used\. Use each name once\.\n$/,
    ],
    [
      'several invalid values',
      ['2fa', '--description', '', '--field', 'class:text'],
      /^feature: .*\nfields\.class: .*\ndescription: .*\n$/,
    ],
  ])('rejects %s with exit code 2', async (_, args, stderr) => {
    expect(await generate(...args)).toEqual({ code: 2, stdout: '', stderr: matching(stderr) });
    expect(await readProject()).toEqual(originalFiles);
  });

  it.each([
    [
      ['pets', '--description', 'All pets', '--dry-run'],
      'npm did not pass on --dry-run. Put -- before the options: npm run feature -- NAME --description TEXT.\n',
    ],
    [
      ['pets', '--description', 'All pets', '--field', 'name:string', '--requirement', 'x'],
      'npm did not pass on --requirement, --field. Put -- before the options: npm run feature -- NAME --description TEXT.\n',
    ],
    [
      ['pets', '--description', 'All pets'],
      'Expected the name of one feature, got 2 names. Put -- before the options: npm run feature -- NAME --description TEXT.\n',
    ],
  ])('rejects npm run feature %j without -- with exit code 2', async (args, stderr) => {
    const result = await run('npm', ['run', '--silent', 'feature', ...args]);
    expect(result).toEqual({ code: 2, stdout: '', stderr });
    expect(await readProject()).toEqual(originalFiles);
  });

  it('rejects a payload that is not JSON with exit code 2', async () => {
    expect(await generateFrom('{"feature"')).toEqual({
      code: 2,
      stdout: '',
      stderr: matching(/^--payload -: the JSON is not valid: .*\. Correct the file\.\n$/),
    });
  });

  it('rejects a payload file without a payload with exit code 2', async () => {
    expect(await generate('--payload', '.gitignore')).toEqual({
      code: 2,
      stdout: '',
      stderr: matching(/^--payload \.gitignore: the file contains no payload\. Use JSON, /),
    });
  });

  it('reads a payload from Markdown', async () => {
    const payload = { feature: 'smoke_test', description: 'x' };
    const markdown = `# Feature\n\n\`\`\`json\n${JSON.stringify(payload)}\n\`\`\`\n`;
    expect(await generateFrom(markdown)).toEqual({
      code: 3,
      stdout: '',
      stderr: 'smoke_test: src/features/smoke-test already exists. Choose another name.\n',
    });
  });

  it('rejects a payload file that does not exist with exit code 2', async () => {
    expect(await generate('--payload', 'missing.json')).toEqual({
      code: 2,
      stdout: '',
      stderr: matching(
        /^--payload missing\.json: the file cannot be read: ENOENT: .*\. Check the path\.\n$/,
      ),
    });
  });

  it('rejects an existing feature with exit code 3', async () => {
    const payload = { feature: 'smoke_test', description: 'verify logs', requirements: 'none' };
    expect(await generateFrom(payload)).toEqual({
      code: 3,
      stdout: '',
      stderr: 'smoke_test: src/features/smoke-test already exists. Choose another name.\n',
    });
    expect(await readProject()).toEqual(originalFiles);
  });

  it.each([
    ['nobody', /^nobody: there is no such feature\. Choose one of smoke-test\.\n$/],
    ['../x', /^\.\.\/x: there is no such feature\. /],
    [
      'smoke_test',
      /^smoke_test: src\/features\/smoke-test\/README\.md has no valid payload, so edits cannot be detected\. Delete the files by hand\.\n$/,
    ],
  ])('rejects --remove %s --force with exit code 3', async (name, stderr) => {
    expect(await generate('--remove', name, '--force')).toEqual({
      code: 3,
      stdout: '',
      stderr: matching(stderr),
    });
    expect(await readProject()).toEqual(originalFiles);
  });

  it('changes nothing and removes its temporary files when interrupted', async () => {
    const temporary = await mkdtemp(join(tmpdir(), 'petsage-interrupted-'));
    const script = join(project, 'packages/generator/src/main.js');
    const child = spawn(process.execPath, [script, 'kennel_guest', '--description', 'x'], {
      // The command works from any folder.
      cwd: tmpdir(),
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const stderr = text(child.stderr);
    const exit = once(child, 'exit');
    await waitFor(async () => (await readdir(temporary)).length > 0);
    child.kill('SIGTERM');
    expect(await stderr).toBe('Interrupted.\nNothing was changed.\n');
    expect(await exit).toEqual([1, null]);
    expect(await readdir(temporary)).toEqual([]);
    expect(await readProject()).toEqual(originalFiles);
    await rm(temporary, { recursive: true });
  });

  it('changes nothing when the OpenAPI document cannot be built', async () => {
    // The application does not start with a feature that has no module.
    const folder = join(project, 'src/features/broken');
    await mkdir(folder);
    const { code, stdout, stderr } = await generateFrom(PLAIN);
    await rm(folder, { recursive: true });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^The OpenAPI document cannot be built: [^]*broken\.module/);
    expect(stderr).toMatch(/\nNothing was changed\.\n$/);
    expect(await readProject()).toEqual(originalFiles);
  });

  describe('with a plain payload, every field type, and hostile texts', () => {
    let generatedFiles: Record<string, string>;

    beforeAll(async () => {
      for (const payload of [PLAIN, EVERY_TYPE, HOSTILE_TEXTS]) {
        expect(await generateFrom(payload)).toMatchObject({ code: 0, stderr: '' });
      }
      generatedFiles = await readProject();
      expect(await run('npm', ['run', 'build'])).toMatchObject({ code: 0 });
    });

    afterEach(async () => {
      await restoreProject(generatedFiles);
    });

    afterAll(async () => {
      await restoreProject(originalFiles);
    });

    it('creates tests that pass', async () => {
      const names = ['vet-tip', 'vet-visit', 'hostile-texts'];
      const jestArgs = ['--selectProjects', 'unit', 'e2e', '--watchman=false', ...names];
      const { code, stderr } = await run('npm', ['run', 'jest', '--', ...jestArgs]);
      expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
      expect(stderr).toContain('Test Suites: 6 passed, 6 total\n');
      expect(stderr).toMatch(/Tests: {7}8 todo, \d+ passed, \d+ total\n/);
    });

    it('creates features that pass npm run check', async () => {
      // The parts of npm run check that can fail because of a generated file.
      for (const command of [
        ['prettier/bin/prettier.cjs', '--check', 'src/features', 'test/features'],
        ['eslint/bin/eslint.js', 'src/features', 'test/features'],
        ['typescript-7/bin/tsc', '--noEmit'],
        ['../scripts/openapi.js', '--check'],
      ]) {
        const [script = '', ...args] = command;
        const result = await run(process.execPath, [join('node_modules', script), ...args]);
        expect([command, result]).toEqual([command, expect.objectContaining({ code: 0 })]);
      }
    });

    it('creates features that are served and documented', async () => {
      const service = await startService({ cwd: project });
      for (const [feature, path] of [
        ['vet_tip', '/vet-tip/smoke-test'],
        ['vet_visit', '/vet-visit/smoke-test'],
        ['hostile_texts', '/api/v1/texts/smoke-test'],
      ]) {
        const response = await fetch(`${service.url}${path}`);
        expect(await response.text()).toBe(
          `{"status":"ok","feature":"${feature}","message":"PetSage ${feature} is functional!"}`,
        );
        const script = await (await fetch(`${service.url}/docs/swagger-ui-init.js`)).text();
        expect(script).toContain(`"${path}":{`);
      }
      await stopService(service);
    });

    it('creates requests whose optional fields may be absent or null', async () => {
      const service = await startService({ cwd: project });
      const document = JSON.parse(
        await readFile(join(project, 'openapi.json'), 'utf8'),
      ) as Document;
      const { properties, required } = document.components.schemas.VetVisitRequest;
      const examples = Object.entries(properties).map(([name, { example }]) => [name, example]);
      const absent = Object.fromEntries(
        examples.filter(([name]) => required.includes(String(name))),
      ) as object;
      const allNull = {
        ...Object.fromEntries(Object.keys(properties).map((name) => [name, null])),
        ...absent,
      };
      for (const body of [absent, allNull]) {
        const response = await fetch(`${service.url}/vet-visit`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(body),
        });
        expect([response.status, await response.json()]).toEqual([200, body]);
      }
      for (const [name, { type }] of Object.entries(properties)) {
        expect([name, [type].flat().includes('null')]).toEqual([name, !required.includes(name)]);
      }
      await stopService(service);
    });

    it('creates features that the smoke runner covers', async () => {
      const service = await startService({ cwd: project });
      const paths = ['/vet-tip', '/vet-visit', '/api/v1/texts'];
      const only = paths.flatMap((path) => ['--include', `${path}*`]);
      const { code, stdout } = await run(process.execPath, [
        'packages/smoke-runner/dist/main.js',
        ...only,
        service.url,
      ]);
      await stopService(service);
      const lines = stdout.replace(/ [\d.]+ m?s$/gm, '').split('\n');
      expect(lines.slice(1, -2).sort()).toEqual(
        [
          '✓ GET /openapi.json',
          ...paths.map((path) => `✓ GET ${path}/smoke-test`),
          ...paths.map((path) => `✓ HEAD ${path}/smoke-test`),
          ...paths.slice(1).map((path) => `✓ POST ${path}`),
          ...paths.slice(1).map((path) => `✓ POST ${path} with a wrong body`),
        ].sort(),
      );
      expect(code).toBe(0);
    });

    it('does not remove a feature with edited or added files', async () => {
      await appendFile(join(project, 'src/features/vet-tip/vet-tip.service.ts'), '// Edited.\n');
      await writeFile(join(project, 'src/features/vet-tip/notes.txt'), 'Added.');
      const editedFiles = await readProject();
      expect(await generate('--remove', 'vet_tip')).toEqual({
        code: 3,
        stdout: '',
        stderr: [
          'src/features/vet-tip/notes.txt: the file was added, edited or deleted.',
          'src/features/vet-tip/vet-tip.service.ts: the file was added, edited or deleted.',
          'Nothing was removed. Add --force to remove the feature anyway.\n',
        ].join('\n'),
      });
      expect(await readProject()).toEqual(editedFiles);
    });

    it('prints the files and the diff, and removes nothing, with --remove --dry-run', async () => {
      const { code, stdout } = await generate('--remove', 'vet_visit', '--dry-run');
      expect(code).toBe(0);
      const [files, diff] = splitDryRun(stdout);
      expect(files).toContain('would remove src/features/vet-visit/vet-visit.module.ts');
      expect(diff).toContain('\n-    "/vet-visit/smoke-test": {\n');
      expect(diff).not.toMatch(/^\+/m);
      expect(await readProject()).toEqual(generatedFiles);
    });

    it('removes every generated file', async () => {
      await appendFile(join(project, 'src/features/vet-tip/vet-tip.service.ts'), '// Edited.\n');
      expect(await generate('--remove', 'vet_tip', '--force')).toMatchObject({
        code: 0,
        stderr: '',
      });
      for (const { feature } of [EVERY_TYPE, HOSTILE_TEXTS]) {
        expect(await generate('--remove', feature)).toMatchObject({ code: 0, stderr: '' });
      }
      expect(await readProject()).toEqual(originalFiles);
    });
  });
});

describe('docs/features.md', () => {
  it('shows the output of its commands', async () => {
    const document = await readFile('docs/features.md', 'utf8');
    const [, section = ''] = /\n## Generate a feature\n(.*?)\n## /s.exec(document) ?? [];
    const examples = [...section.matchAll(/```sh\n(.*?)```\n\n```text\n(.*?)```/gs)];
    expect(examples).not.toEqual([]);
    for (const [, command = '', output = ''] of examples) {
      const { code, stdout, stderr } = await run('sh', ['-c', command]);
      const lines = (stdout + stderr).split('\n');
      const missing = output
        .trimEnd()
        .split('\n')
        .filter((expected) => !lines.some((line) => line.startsWith(expected)));
      expect({ command, code, missing }).toEqual({ command, code: 0, missing: [] });
    }
    expect(await readProject()).toEqual(originalFiles);
  });
});

describe('nest generate feature', () => {
  it('creates a feature without fields', async () => {
    // A copy of the project contains its own generator.
    const generator = await realpath(join(project, 'node_modules/petsage-generator'));
    expect(generator).toBe(join(await realpath(project), 'packages/generator'));
    const nest = 'node_modules/@nestjs/cli/bin/nest.js';
    const { code } = await run(process.execPath, [nest, 'generate', 'feature', 'pet_toy']);
    expect(code).toBe(0);
    const created = Object.keys(await readProject()).filter((path) => !(path in originalFiles));
    expect(created).toHaveLength(7);
    await restoreProject(originalFiles);
    expect(await readProject()).toEqual(originalFiles);
  });
});
