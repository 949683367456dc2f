import { appendFileSync } from 'node:fs';
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogVerifier } from './log-verifier.js';

const ID = 'petsage-smoke-1';
const FIELDS = { event: 'fed', pets: ['cat'] };
const RECORD = `${JSON.stringify({ level: 'info', requestId: ID, ...FIELDS, msg: 'Fed 🐈' })}\n`;

describe('LogVerifier', () => {
  let folder: string;
  let file: string;
  let verifier: LogVerifier;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'petsage-smoke-'));
    file = join(folder, 'app.log');
    await writeFile(file, 'a line from before the run\n'.repeat(20));
    verifier = new LogVerifier(file, (line) => line.includes('hunter2'));
  });

  afterEach(async () => {
    verifier.stop();
    await rm(folder, { recursive: true });
  });

  it('throws for a folder', () => {
    expect(() => {
      new LogVerifier(folder, () => false).start();
    }).toThrow(`--logs ${folder} is invalid. Use a file, a named pipe or -.`);
  });

  describe('verifyRecord', () => {
    it('finds the record among others', async () => {
      verifier.start();
      await appendFile(file, `plain text\n${RECORD.replace(ID, 'petsage-smoke-2')}${RECORD}`);
      expect(await verifier.verifyRecord(ID, FIELDS, 1000)).toEqual([]);
    });

    it('waits for a record that arrives late', async () => {
      verifier.start();
      const verified = verifier.verifyRecord(ID, FIELDS, 20_000);
      setTimeout(() => {
        appendFileSync(file, RECORD);
      }, 200);
      expect(await verified).toEqual([]);
    });

    it('finds a record that is read in parts', async () => {
      verifier.start();
      const bytes = Buffer.from(RECORD);
      const middleOfEmoji = bytes.indexOf('🐈') + 2;
      await appendFile(file, bytes.subarray(0, middleOfEmoji));
      expect(await verifier.verifyRecord(ID, FIELDS, 0)).toHaveLength(1);
      await appendFile(file, bytes.subarray(middleOfEmoji));
      expect(await verifier.verifyRecord(ID, FIELDS, 0)).toEqual([]);
    });

    it('finds a record in a file that is created later', async () => {
      await rm(file);
      verifier.start();
      expect(await verifier.verifyRecord(ID, FIELDS, 0)).toEqual([
        expect.stringContaining(`got none in 0 lines of ${file}`),
      ]);
      await appendFile(file, RECORD);
      expect(await verifier.verifyRecord(ID, FIELDS, 0)).toEqual([]);
    });

    it('finds a record after the file was rotated', async () => {
      verifier.start();
      await rename(file, `${file}.1`);
      await appendFile(file, RECORD);
      expect(await verifier.verifyRecord(ID, FIELDS, 0)).toEqual([]);
    });

    it('ignores records from before the run', async () => {
      await appendFile(file, RECORD);
      verifier.start();
      await appendFile(file, 'one line\n');
      expect(await verifier.verifyRecord(ID, FIELDS, 0)).toEqual([
        `expected one log record with {"requestId":"${ID}","event":"fed","pets":["cat"]} within 0 ms, got none in 1 lines of ${file}`,
      ]);
    });

    it.each([
      ['occurs twice', RECORD + RECORD],
      ['is not JSON', `INFO ${ID} fed cat\n`],
      ['has another value', RECORD.replace('"fed"', '"played"')],
      ['lacks a field', `{"requestId":"${ID}","event":"fed"}\n`],
      ['has the id in another field', RECORD.replace('requestId', 'id')],
    ])('fails when the record %s', async (_, lines) => {
      verifier.start();
      await appendFile(file, lines);
      expect(await verifier.verifyRecord(ID, FIELDS, 1000)).toEqual([
        expect.stringContaining(`got ${lines.trim().replace('\n', ' ')}`),
      ]);
    });

    it('fails when a second record follows shortly after the first', async () => {
      let isFirstLine = true;
      const onLine = () => {
        if (isFirstLine) {
          setTimeout(() => {
            appendFileSync(file, RECORD);
          }, 50);
        }
        isFirstLine = false;
        return false;
      };
      verifier = new LogVerifier(file, onLine);
      verifier.start();
      await appendFile(file, RECORD);
      expect(await verifier.verifyRecord(ID, FIELDS, 1000)).toEqual([
        expect.stringContaining(`got ${RECORD.trim()} ${RECORD.trim()}`),
      ]);
    });
  });

  describe('verifyNoSecret', () => {
    it.each([
      ['a line', '{"password":"hunter2"}\n'],
      ['an incomplete line', 'password hunter2'],
    ])('fails for a secret in %s', async (_, text) => {
      verifier.start();
      await appendFile(file, text);
      await verifier.verifyRecord(ID, FIELDS, 0);
      expect(verifier.verifyNoSecret()).toEqual([
        'expected no secret of a request in the log, got one',
      ]);
    });

    it('passes for a log without secrets', async () => {
      verifier.start();
      await appendFile(file, RECORD);
      await verifier.verifyRecord(ID, FIELDS, 0);
      expect(verifier.verifyNoSecret()).toEqual([]);
    });
  });
});
