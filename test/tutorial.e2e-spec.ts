import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { jest } from '@jest/globals';
import { findFreePort } from './fixtures/free-port.js';
import { findProgram } from './fixtures/postgres-server.js';
import { copyProject } from './fixtures/project.js';
import { waitFor } from './fixtures/wait-for.js';

// The tutorial compiles the project several times.
jest.setTimeout(600_000);

// The `script` command of util-linux provides the terminal of `npm start`.
const describeOnLinux = process.platform === 'linux' ? describe : describe.skip;

const hasPostgres = Boolean(findProgram('initdb') ?? process.env.CI);

/** The files that the tutorial makes. `UPDATE_FIXTURE=true npm run test:e2e -- tutorial` writes them. */
const FIXTURE = 'test/fixtures/tutorial';

/** What differs in each run: ids, versions of migrations, times, and due dates. */
const VARIABLE =
  /([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b\d{14}(?=_)|\d{4}-\d\d-\d\dT[\d:.]{12}Z|(?<="dueOn":")[\d-]{10})/;

/** The time of a log record. */
const CLOCK = /\[\d\d:\d\d:\d\d\]/g;

interface Block {
  /** The line of the document on which the block starts. */
  line: number;
  language: string;
  text: string;
  /** The paragraph before the block. */
  paragraph: string;
}

let project: string;
let port: string;
let packageScripts: Record<string, string>;
let shell: ChildProcess;
let terminal: ChildProcess | undefined;
let output: string;

/** Whether `dist/` is the build of the current sources. */
let isBuilt = false;

/** The value of each {@link VARIABLE} of the document in this run. */
const values = new Map<string, string>();

/** Reads the code blocks of a Markdown document. */
async function readBlocks(path: string): Promise<Block[]> {
  const markdown = await readFile(path, 'utf8');
  return [...markdown.matchAll(/^```(\w+)\n([^]*?)\n```$/gm)].map((match) => {
    const [, language = '', text = ''] = match;
    const before = markdown.slice(0, match.index).trimEnd();
    const line = before.split('\n').length + 2;
    return { line, language, text, paragraph: before.slice(before.lastIndexOf('\n\n')) };
  });
}

/** Runs commands in the shell, which keeps its variables, and returns their output. */
async function runCommands(commands: string): Promise<string> {
  output = '';
  shell.stdin?.write(`{\n${commands}\n} </dev/null 2>&1\nprintf '\\0'\n`);
  await waitFor(() => {
    if (shell.exitCode !== null) throw new Error(`${commands}\nfailed:\n${output}`);
    return output.endsWith('\0');
  }, 300_000);
  // npm prints the name of a script and its commands.
  return output.slice(0, -1).replaceAll(/^\n> .*\n> .*\n\n/gm, '');
}

/** Runs a command on a terminal until it ends or the service is ready, and returns its output. */
async function runOnTerminal(command: string): Promise<string> {
  await stopService();
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, PORT: port };
  terminal = spawn('script', ['-qec', command, '/dev/null'], { cwd: project, env, detached: true });
  let log = '';
  terminal.stdout?.setEncoding('utf8').on('data', (data: string) => {
    log += stripVTControlCharacters(data).replaceAll('\r', '');
  });
  let isClosed = false;
  terminal.once('close', () => (isClosed = true));
  await waitFor(() => isClosed || /Documentation .*\n/.test(log));
  if (terminal.exitCode) throw new Error(`${command} failed:\n${log}`);
  return log;
}

/** Presses Ctrl-C in the terminal, if the service was not killed, and waits until it has ended. */
async function stopService(): Promise<void> {
  if (terminal?.exitCode !== null) return;
  const exit = once(terminal, 'exit');
  terminal.stdin?.write('\u0003');
  await exit;
}

/** Replaces an npm script that starts with a build, if the sources were not changed since the last one. */
function skipBuild(command: string): string {
  const [, name = '', args = ''] = /^npm (?:run )?(\S+)(?: --( .*))?$/.exec(command) ?? [];
  const [, rest] = /^(?:npm run|nest) build && (.*)$/.exec(packageScripts[name] ?? '') ?? [];
  return isBuilt && rest !== undefined ? rest + args : command;
}

/** Changes the file that the paragraph before the block names. */
async function applyDiff({ text, paragraph }: Block): Promise<void> {
  const [, path = ''] = /`([^`]+)`:$/.exec(paragraph) ?? [];
  let content = await readFile(join(project, path), 'utf8');
  for (const hunk of text.split('\n@@\n')) {
    const [before = '', after = ''] = ['+', '-'].map((sign) => {
      const lines = hunk.split('\n').filter((line) => !line.startsWith(sign));
      return lines.map((line) => `${line.slice(1)}\n`).join('');
    });
    expect({ path, before, count: content.split(before).length - 1 }).toMatchObject({ count: 1 });
    content = content.replace(before, () => after);
  }
  await writeFile(join(project, path), content);
}

/** Compares an output with the output in the document, in which `…` is any number of lines. */
function expectOutput(actual: string, { line, text }: Block): void {
  const lines = actual
    .trim()
    .replaceAll(project, '/home/alice/petsage-api')
    .replaceAll(`:${port}`, ':8000')
    .replaceAll(CLOCK, '[00:00:00]')
    // Jest adds the duration of slow tests.
    .replaceAll(/ \([\d.]+ s\)$/gm, '')
    .replaceAll(/ +$|\r/gm, '');
  const names: string[] = [];
  const toPattern = (part: string, index: number) => {
    if (index % 2 === 0) return part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    const value = values.get(part);
    if (value !== undefined) return value;
    if (names.includes(part)) return `\\k<v${names.indexOf(part)}>`;
    names.push(part);
    return `(?<v${names.length - 1}>${VARIABLE.source.replace('(', '(?:')})`;
  };
  const pattern = text
    .replaceAll(CLOCK, '[00:00:00]')
    .split('\n')
    .map((part) =>
      part === '…' ? '(?:.*\\n)*?' : `${part.split(VARIABLE).map(toPattern).join('')}\\n`,
    );
  const match = new RegExp(`^${pattern.join('')}$`).exec(`${lines}\n`);
  if (match === null) expect(`line ${line}:\n${lines}`).toBe(`line ${line}:\n${text}`);
  for (const [index, name] of names.entries()) {
    values.set(name, match?.groups?.[`v${index}`] ?? '');
  }
}

/** Reads the files in `src` and `test` of a folder, except some, with the versions of migrations in the document. */
async function readSources(
  folder: string,
  except: Record<string, string> = {},
): Promise<Record<string, string>> {
  const versions = new Map([...values].map(([version, actual]) => [actual, version]));
  const sources: Record<string, string> = {};
  for (const root of ['src', 'test']) {
    const files = await readdir(join(folder, root), { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      const path = relative(folder, join(file.parentPath, file.name));
      if (path in except) continue;
      const name = path.replace(/\d{14}/, (version) => versions.get(version) ?? version);
      sources[name] = await readFile(join(folder, path), 'utf8');
    }
  }
  return sources;
}

describeOnLinux('docs/tutorial.md', () => {
  let untouched: Record<string, string>;

  beforeAll(async () => {
    project = await copyProject();
    untouched = await readSources(project);
    // The tutorial starts without resources, whichever the project has.
    const document = JSON.parse(await readFile(join(project, 'openapi.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    await writeFile(
      join(project, 'openapi.json'),
      JSON.stringify({ ...document, paths: {}, components: {} }),
    );
    port = String(await findFreePort());
    ({ scripts: packageScripts } = JSON.parse(
      await readFile(join(project, 'package.json'), 'utf8'),
    ) as { scripts: Record<string, string> });
    const { PATH, HOME } = process.env;
    shell = spawn('bash', ['-e'], { cwd: project, env: { PATH, HOME } });
    shell.stdout?.setEncoding('utf8').on('data', (data: string) => (output += data));
    // Where standard error is no terminal, curl would show its progress there.
    shell.stdin?.write('curl() { command curl --silent "$@"; }\n');
  });

  afterAll(async () => {
    shell.stdin?.end();
    await stopService();
  });

  it('contains the commands, changes, and outputs of a run', async () => {
    let actual = '';
    let isSkipped = false;
    for (const block of await readBlocks('docs/tutorial.md')) {
      const { line, language, text } = block;
      if (language === 'diff') {
        await applyDiff(block);
        isBuilt = false;
      } else if (language === 'sh') {
        // The project is a copy with its dependencies.
        isSkipped = text.startsWith('git clone') || (text.includes('postgres --') && !hasPostgres);
        if (isSkipped) continue;
        const command = skipBuild(
          text
            .split(VARIABLE)
            .map((part) => values.get(part) ?? part)
            .join('')
            .replaceAll(':8000', `:${port}`),
        );
        const isOnTerminal = /^npm (start|run job)/.test(text);
        actual = isOnTerminal ? await runOnTerminal(command) : await runCommands(command);
        if (isOnTerminal) isBuilt = true;
        else if (/npm run feature|src\//.test(text)) isBuilt = false;
      } else if (language === 'text') {
        if (!isSkipped) expectOutput(actual, block);
      } else {
        throw new Error(`Line ${line}: a code block in ${language} is not tested`);
      }
    }
  });

  it('makes the files of the fixture', async () => {
    const sources = await readSources(project, untouched);
    if (process.env.UPDATE_FIXTURE) {
      await rm(FIXTURE, { recursive: true });
      for (const [path, content] of Object.entries(sources)) {
        await mkdir(dirname(join(FIXTURE, path)), { recursive: true });
        await writeFile(join(FIXTURE, path), content);
      }
    }
    expect(sources).toEqual(await readSources(FIXTURE));
  });
});

it.each(['docs/database.md', 'docs/jobs.md'])('%s shows files of the tutorial', async (path) => {
  const shown: Record<string, string> = {};
  for (const { text, paragraph } of await readBlocks(path)) {
    const [, file] = /`(src\/[^`]+)`:$/.exec(paragraph) ?? [];
    if (file !== undefined) shown[file] = `${text}\n`;
  }
  expect(shown).not.toEqual({});
  expect(await readSources(FIXTURE)).toMatchObject(shown);
});
