import { execFile, type ExecFileException, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  appendFile,
  cp,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { jest } from '@jest/globals';
import { startService, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

// Each run of the builder builds the project.
jest.setTimeout(240_000);

const HOSTILE =
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
      'date-time',
      'email',
      'uuid',
      'url',
      'dog|big cat',
    ].flatMap((type, i) =>
      ['', '?', '[]', '[]?'].map((suffix, j) => [`field_${i}_${j}`, `${type}${suffix}`] as const),
    ),
  ),
};
const HOSTILE_TEXTS = {
  feature: 'hostile_texts',
  description: HOSTILE,
  requirements: [HOSTILE, '1. one', '- two', '```js', '# three', HOSTILE],
  fields: { note: 'string' },
};

/** How a command ended. */
interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

let project: string;
let pristine: Record<string, string>;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'petsage-builder-'));
  const entries = (await readdir('.')).filter(
    (name) => !/^(\.git|node_modules|build|dist|coverage)$/.test(name),
  );
  const isOwn = (path: string) => !/\/(node_modules|\.venv|dist)$/.test(path);
  for (const name of entries) {
    await cp(name, join(project, name), { recursive: true, filter: isOwn });
  }
  await symlink(resolve('node_modules'), join(project, 'node_modules'));
  pristine = await tree();
});

afterAll(async () => {
  await rm(project, { recursive: true });
});

/** Every file of the project, but for what is built. */
async function tree(): Promise<Record<string, string>> {
  const entries = await readdir(project, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => !/^\/(build|dist)\//.test(path.slice(project.length)));
  const contents = await Promise.all(
    paths.map(async (path) => [path, await readFile(path, 'utf8')]),
  );
  return Object.fromEntries(contents) as Record<string, string>;
}

function run(command: string, args: string[], env: Record<string, string> = {}, input = '') {
  return new Promise<Ended>((done) => {
    const options = {
      cwd: project,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
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

function build(...args: string[]): Promise<Ended> {
  return run(process.execPath, ['scripts/feature.js', ...args]);
}

function buildFrom(payload: unknown, env?: Record<string, string>): Promise<Ended> {
  return run(process.execPath, ['scripts/feature.js', '-'], env, JSON.stringify(payload));
}

describe('npm run feature', () => {
  it('says what it would write, and writes nothing', async () => {
    const { code, stdout } = await build('pet_profile', '--description', 'x', '--dry-run');
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'would create src/features/pet-profile/README.md',
      'would create src/features/pet-profile/dto/pet-profile-status.dto.ts',
      'would create src/features/pet-profile/pet-profile.controller.spec.ts',
      'would create src/features/pet-profile/pet-profile.controller.ts',
      'would create src/features/pet-profile/pet-profile.module.ts',
      'would create src/features/pet-profile/pet-profile.service.spec.ts',
      'would create src/features/pet-profile/pet-profile.service.ts',
      'would create test/features/pet-profile.e2e-spec.ts',
      '',
    ]);
    expect(await tree()).toEqual(pristine);
  });

  it.each([
    [
      3,
      ['smoke_test', '--description', 'verify logs'],
      'smoke_test: src/features/smoke-test exists; choose another name, such as pet_profile\n',
    ],
    [
      3,
      ['--remove', 'nobody'],
      'nobody: expected the name of a feature that there is (smoke-test), found no src/features/nobody\n',
    ],
    [
      2,
      [],
      'Expected the name of one feature such as pet_profile, found 0 names. See npm run feature -- --help\n',
    ],
    [
      2,
      ['a', 'b'],
      'Expected the name of one feature such as pet_profile, found 2 names. See npm run feature -- --help\n',
    ],
    [
      2,
      ['pets', '--description', 'x', '--payload', 'x.json'],
      'Expected a name with its options, a payload, or --remove, found more than one of these. See npm run feature -- --help\n',
    ],
    [
      2,
      ['pets', '--description', 'x', '--field', 'a:int', '--field', 'a:url'],
      '--field a: expected each name once\n',
    ],
  ])('ends with %i when it is told %j', async (code, args, stderr) => {
    expect(await build(...args)).toEqual({ code, stdout: '', stderr });
    expect(await tree()).toEqual(pristine);
  });

  it('refuses the payload of the smoke test, which exists', async () => {
    const payload = { feature: 'smoke_test', description: 'verify logs', requirements: 'none' };
    expect(await buildFrom(payload)).toMatchObject({ code: 3, stdout: '' });
  });

  it.each([
    [
      'an option that it does not know',
      ['pets', '--nope'],
      /^Unknown option '--nope'.* See npm run feature -- --help\n$/,
    ],
    [
      'a file that is not there',
      ['--payload', 'nope.json'],
      /^--payload nope\.json: expected JSON such as /,
    ],
    [
      'several faults',
      ['2fa', '--field', 'class:text'],
      /^feature: .*\ndescription: .*\nfields: .*\nfields\.class: .*\n$/,
    ],
  ])('ends with 2 when it is told %s', async (_, args, stderr) => {
    expect(await build(...args)).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(stderr) as string,
    });
  });

  it('tells all of that when it is asked for help', async () => {
    const { code, stdout } = await build('--help');
    expect(code).toBe(0);
    for (const word of [
      '--description',
      '--requirement',
      '--field',
      '--payload',
      '--dry-run',
      '--remove',
      '--force',
    ]) {
      expect(stdout).toContain(word);
    }
  });

  it.each([
    [
      'an option that is left out',
      ['2fa', '--field', 'a'],
      /^feature: .*\ndescription: .*\n--field a: expected a name and a type such as name:string\n$/,
    ],
    ['--force alone', ['pets', '--force'], /^Expected --force with --remove alone\. /],
    [
      'no name to remove',
      ['--remove', '../x'],
      /^--remove: expected the name of a feature such as pet_profile, found "\.\.\/x"\n$/,
    ],
    [
      'a name beside a payload',
      ['pets', '--payload', 'x.json'],
      /^Expected a name with its options, a payload, or --remove, /,
    ],
  ])('ends with 2 when it is told %s', async (_, args, stderr) => {
    expect(await build(...args)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(stderr) as string,
    });
  });

  it('does not remove what it did not make, by force neither', async () => {
    const { code, stderr } = await build('--remove', 'smoke_test', '--force');
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(/^smoke_test: expected the payload /),
    ]);
    expect(await tree()).toEqual(pristine);
  });

  it('puts everything back when it is interrupted', async () => {
    const child = spawn(
      process.execPath,
      [join(project, 'scripts/feature.js'), 'pet_profile', '--description', 'x'],
      {
        // From anywhere.
        cwd: tmpdir(),
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    const stderr = text(child.stderr);
    const exit = once(child, 'exit');
    await waitFor(() => existsSync(join(project, 'src/features/pet-profile')));
    child.kill('SIGTERM');
    expect(await stderr).toBe('Interrupted by SIGTERM\nNothing was changed.\n');
    expect(await exit).toEqual([1, null]);
    expect(await tree()).toEqual(pristine);
  });

  it('leaves everything as it was when it fails half-way', async () => {
    // The document cannot be built under a setting that is wrong.
    const { code, stdout, stderr } = await buildFrom(EVERY_TYPE, { PORT: 'wrong' });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('\nNothing was changed.\n');
    expect(await tree()).toEqual(pristine);
  });

  describe('makes features of a plain payload, one of every type, and a hostile one', () => {
    let made: Record<string, string>;

    beforeAll(async () => {
      for (const payload of [PLAIN, EVERY_TYPE, HOSTILE_TEXTS]) {
        expect(await buildFrom(payload)).toMatchObject({ code: 0, stderr: '' });
      }
      made = await tree();
    });

    it('that pass format, lint, types and the lint of the OpenAPI document', async () => {
      const { code, stdout, stderr } = await run('npm', ['run', 'check']);
      expect([code, stdout, code === 0 ? '' : stderr]).toEqual([0, expect.any(String), '']);
    });

    it('that pass the tests that came with them', async () => {
      const names = ['vet-tip', 'vet-visit', 'hostile-texts'];
      const { code, stderr } = await run('npm', ['test', '--', ...names]);
      expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
      expect(stderr).toContain('Test Suites: 9 passed, 9 total\n');
      expect(stderr).toMatch(/Tests: {7}8 todo, \d+ passed, \d+ total\n/);
    });

    it('that answer, and that the documentation shows', async () => {
      const service = await startService({ cwd: project });
      for (const { feature } of [PLAIN, EVERY_TYPE, HOSTILE_TEXTS]) {
        const path = `/${feature.replace('_', '-')}`;
        const answer = await fetch(service.url + path);
        expect(await answer.text()).toBe(
          `{"status":"ok","feature":"${feature}","message":"PetSage ${feature} is functional!"}`,
        );
        const script = await (await fetch(`${service.url}/docs/swagger-ui-init.js`)).text();
        expect(script).toContain(`"${path}": {`);
      }
      await stopService(service);
    });

    it('that a smoke test of the service covers', async () => {
      const service = await startService({ cwd: project });
      const names = ['/vet-tip', '/vet-visit', '/hostile-texts'];
      const only = names.flatMap((name) => ['--include', name]);
      const { code, stdout } = await run(process.execPath, ['dist/smoke.js', ...only, service.url]);
      await stopService(service);
      const lines = stdout.replace(/ [\d.]+ m?s$/gm, '').split('\n');
      expect(lines.slice(1, -2).sort()).toEqual(
        [
          ...['/openapi.json', ...names].map((name) => `✓ GET ${name}`),
          ...names.map((name) => `✓ HEAD ${name}`),
          ...names.slice(1).map((name) => `✓ POST ${name}`),
          ...names.slice(1).map((name) => `✓ POST ${name} with a wrong body`),
        ].sort(),
      );
      expect(code).toBe(0);
    });

    it('and changes nothing when one is there', async () => {
      expect(await buildFrom(PLAIN)).toMatchObject({ code: 3, stdout: '' });
      expect(await tree()).toEqual(made);
    });

    it('and does not take one away that was edited', async () => {
      const service = join(project, 'src/features/vet-tip/vet-tip.service.ts');
      await appendFile(service, '// Edited.\n');
      await writeFile(join(project, 'src/features/vet-tip/notes.txt'), 'Added.');
      expect(await build('--remove', 'vet_tip')).toEqual({
        code: 3,
        stdout: '',
        stderr: expect.stringMatching(
          /^src\/features\/vet-tip\/[a-z.-]+: not as the builder makes it\nsrc\/features\/vet-tip\/[a-z.-]+: not as the builder makes it\nNothing was removed\. With --force, vet_tip is removed all the same\.\n$/,
        ) as string,
      });
    });

    it('and takes them away, byte for byte', async () => {
      expect(await build('--remove', 'vet_tip', '--force')).toMatchObject({ code: 0, stderr: '' });
      const dry = await build('--remove', 'vet_visit', '--dry-run');
      expect(dry.stdout).toContain('would remove src/features/vet-visit/vet-visit.module.ts\n');
      for (const { feature } of [EVERY_TYPE, HOSTILE_TEXTS]) {
        expect(await build('--remove', feature)).toMatchObject({ code: 0, stderr: '' });
      }
      expect(await tree()).toEqual(pristine);
    });
  });

  it('does what the README says, and prints that', async () => {
    const readme = await readFile('README.md', 'utf8');
    const [, section = ''] =
      /### Add a feature\n(.*?)\n`npm run feature -- --help`/s.exec(readme) ?? [];
    const steps = [...section.matchAll(/```sh\n(.*?)```\n\n```text\n(.*?)```/gs)];
    expect(steps).toHaveLength(3);
    for (const [, command = '', printed = ''] of steps) {
      const { code, stdout, stderr } = await run('sh', ['-c', command]);
      expect([command, code]).toEqual([command, 0]);
      const lines = (stdout + stderr).split('\n');
      const missing = printed
        .trim()
        .split('\n')
        .filter((line) => !lines.some((one) => one.startsWith(line)));
      expect([command, missing]).toEqual([command, []]);
    }
    expect(await tree()).toEqual(pristine);
  });

  it('has a lesser form in nest generate', async () => {
    const nest = 'node_modules/@nestjs/cli/bin/nest.js';
    const { code } = await run(process.execPath, [nest, 'generate', 'feature', 'pet_toy']);
    expect(code).toBe(0);
    const added = Object.keys(await tree()).filter((path) => !(path in pristine));
    expect(added).toHaveLength(8);
    for (const path of added) await rm(path);
    expect(await tree()).toEqual(pristine);
  });
});
