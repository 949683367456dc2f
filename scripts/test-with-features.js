// npm run test:features: runs the test suite in a temporary copy of the project with other features, to prove
// that no test of the platform depends on which features exist. Arguments are passed on to Jest.
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createProjectCopy, linkDependencies } from '../test/fixtures/project-copy.js';

/** A feature as a developer writes it by hand, with required settings, which no platform test may need. */
const HAND_WRITTEN = 'test/fixtures/features/adoptions';

const copy = await createProjectCopy('petsage-with-features-');
try {
  await linkDependencies(copy);
  addHandWrittenFeature();
  // The copy has other features than the committed openapi.json.
  run('npm', 'run', 'openapi');
  // The example of docs/features.md must not break a test.
  run('npm', 'run', 'feature', '--', 'pet_profile', '--description', 'Profiles of pets');
  run(
    'npm',
    'run',
    'feature',
    '--',
    'vaccination',
    '--description',
    'Vaccinations',
    '--field',
    'vaccine:string(1..80)',
    '--field',
    'date:date',
    '--field',
    'doses:int(1..9)?',
  );
  // A stored resource needs a database and tokens.
  run(
    'npm',
    'run',
    'feature',
    '--',
    'owner_profile',
    '--description',
    'Profiles of owners',
    '--resource',
    '--owned',
    '--field',
    'name:string(1..80)!unique',
    '--field',
    'mentor:ref(owner_profile)?',
  );
  run('npx', 'nest', 'generate', 'resource', 'clinics', '--type', 'rest', '--crud');
  run('npm', 'run', 'check:fix');
  run('npm', 'run', 'check');
  run('npm', 'test', '--', ...process.argv.slice(2));
  // npm test has built the copy.
  run(
    'npm',
    'run',
    'jest',
    '--',
    '--selectProjects',
    'postgres',
    '--watchman=false',
    'test/features/',
  );
} finally {
  rmSync(copy, { recursive: true });
}

function addHandWrittenFeature() {
  const folder = join(copy, 'src/features', basename(HAND_WRITTEN));
  cpSync(HAND_WRITTEN, folder, { recursive: true });
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts')) continue;
    const file = join(folder, path);
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replaceAll('../../../../src/platform/', '../../platform/'),
    );
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function run(command, ...args) {
  // Without standard input, Nest's CLI does not ask for missing options.
  const { status } = spawnSync(command, args, {
    cwd: copy,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')} failed in ${copy}`);
}
