import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ArgumentMetadata,
  BadRequestException,
  Body,
  Controller,
  FileTypeValidator,
  HttpStatus,
  Injectable,
  MaxFileSizeValidator,
  Module,
  ParseFilePipe,
  ParseFilePipeBuilder,
  type PipeTransform,
  Post,
  UploadedFile,
  UploadedFiles,
  UseInterceptors,
} from '@nestjs/common';
import {
  FileFieldsInterceptor,
  FileInterceptor,
  FilesInterceptor,
  MulterModule,
  NoFilesInterceptor,
} from '@nestjs/platform-express';
import { IsString } from 'class-validator';
import request from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';

class SampleDto {
  @IsString()
  name!: string;
}

@Injectable()
class FileSizeValidationPipe implements PipeTransform {
  transform(value: Express.Multer.File, metadata: ArgumentMetadata) {
    const oneKb = 1000;
    if (value.size >= oneKb) throw new BadRequestException('Too large');
    return value;
  }
}

/** The smallest JPEG header that its type is detected from. */
const JPEG = Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex');

@Controller('uploads')
class UploadsController {
  @Post('file')
  @UseInterceptors(FileInterceptor('file'))
  uploadFile(@UploadedFile() file?: Express.Multer.File) {
    if (file === undefined) return { file: null };
    const { fieldname, originalname, mimetype, size } = file;
    return { fieldname, originalname, mimetype, size, text: file.buffer.toString() };
  }

  @Post('pipe')
  @UseInterceptors(FileInterceptor('file'))
  uploadFileAndValidate(@UploadedFile(new FileSizeValidationPipe()) file: Express.Multer.File) {
    return { size: file.size };
  }

  @Post('body')
  @UseInterceptors(FileInterceptor('file'))
  uploadFileAndPassValidation(
    @Body() body: SampleDto,
    @UploadedFile(new ParseFilePipe({ validators: [] })) file: Express.Multer.File,
  ) {
    return { body, file: file.buffer.toString() };
  }

  @Post('validators')
  @UseInterceptors(FileInterceptor('file'))
  uploadValidated(
    @UploadedFile(
      new ParseFilePipe({
        validators: [
          new MaxFileSizeValidator({ maxSize: 1000 }),
          new FileTypeValidator({ fileType: 'image/jpeg' }),
        ],
      }),
    )
    file: Express.Multer.File,
  ) {
    return { size: file.size };
  }

  @Post('builder')
  @UseInterceptors(FileInterceptor('file'))
  uploadBuilt(
    @UploadedFile(
      new ParseFilePipeBuilder()
        .addFileTypeValidator({ fileType: 'jpeg' })
        .addMaxSizeValidator({ maxSize: 1000 })
        .build({ errorHttpStatusCode: HttpStatus.UNPROCESSABLE_ENTITY }),
    )
    file: Express.Multer.File,
  ) {
    return { size: file.size };
  }

  @Post('optional')
  @UseInterceptors(FileInterceptor('file'))
  uploadOptional(
    @UploadedFile(new ParseFilePipe({ fileIsRequired: false })) file?: Express.Multer.File,
  ) {
    return { size: file?.size ?? null };
  }

  @Post('files')
  @UseInterceptors(FilesInterceptor('files', 2))
  uploadFiles(@UploadedFiles() files: Express.Multer.File[]) {
    return { names: files.map(({ originalname }) => originalname) };
  }

  @Post('fields')
  @UseInterceptors(
    FileFieldsInterceptor([
      { name: 'avatar', maxCount: 1 },
      { name: 'background', maxCount: 1 },
    ]),
  )
  uploadFields(
    @UploadedFiles()
    files: {
      avatar?: Express.Multer.File[];
      background?: Express.Multer.File[];
    },
  ) {
    return Object.fromEntries(
      Object.entries(files).map(([name, [file]]) => [name, file?.originalname]),
    );
  }

  @Post('none')
  @UseInterceptors(NoFilesInterceptor())
  handleMultiPartData(@Body() body: object) {
    return body;
  }
}

@Module({ controllers: [UploadsController] })
class UploadsModule {}

describe('the chapter "File upload"', () => {
  let server: ReturnType<TestApp['app']['getHttpServer']>;

  beforeAll(async () => {
    const { app } = await createTestApp({ features: [UploadsModule] });
    server = app.getHttpServer();
  });

  function post(path: string) {
    return request(server).post(`/uploads/${path}`);
  }

  it('passes the file of FileInterceptor', async () => {
    await post('file').attach('file', Buffer.from('meow'), 'cat.txt').expect(201, {
      fieldname: 'file',
      originalname: 'cat.txt',
      mimetype: 'text/plain',
      size: 4,
      text: 'meow',
    });
    await post('file').field('name', 'Tom').expect(201, { file: null });
    await post('file').send({ name: 'Tom' }).expect(201, { file: null });
    await post('file')
      .attach('photo', Buffer.from('meow'), 'cat.txt')
      .expect(400, { detail: 'Unexpected file field - photo' });
    await post('file')
      .set('Content-Type', 'multipart/form-data')
      .send('meow')
      .expect(400, { detail: 'Multipart: Boundary not found' });
  });

  it('validates with a pipe', async () => {
    await post('pipe').attach('file', Buffer.alloc(999), 'cat').expect(201, { size: 999 });
    await post('pipe')
      .attach('file', Buffer.alloc(1000), 'cat')
      .expect(400, { detail: 'Too large' });
  });

  it('validates the other fields with a DTO, and requires the file with ParseFilePipe', async () => {
    await post('body')
      .field('name', 'Tom')
      .attach('file', Buffer.from('meow'), 'cat.txt')
      .expect(201, { body: { name: 'Tom' }, file: 'meow' });
    await post('body').field('name', 'Tom').expect(400, { detail: 'File is required' });
    await post('optional').field('name', 'Tom').expect(201, { size: null });
  });

  it.each([
    ['validators', 400],
    ['builder', 422],
  ])(
    'validates the size and type of a file with /uploads/%s, or returns %d',
    async (path, status) => {
      const type = path === 'builder' ? 'jpeg' : 'image/jpeg';
      await post(path).attach('file', JPEG, 'cat.jpg').expect(201, { size: 20 });
      await post(path)
        .attach('file', Buffer.concat([JPEG, Buffer.alloc(1000)]), 'cat.jpg')
        .expect(status, {
          detail: 'Validation failed (current file size is 1020, expected size is less than 1000)',
        });
      await post(path)
        .attach('file', Buffer.from('GIF89a'), 'cat.jpg')
        .expect(status, {
          detail: `Validation failed (current file type is image/gif, expected type is ${type})`,
        });
      await post(path).field('name', 'Tom').expect(status, { detail: 'File is required' });
    },
  );

  it('passes several files of a field, and files of several fields', async () => {
    await post('files')
      .attach('files', Buffer.from('a'), 'a.txt')
      .attach('files', Buffer.from('b'), 'b.txt')
      .expect(201, { names: ['a.txt', 'b.txt'] });
    await post('fields')
      .attach('avatar', Buffer.from('a'), 'a.txt')
      .attach('background', Buffer.from('b'), 'b.txt')
      .expect(201, { avatar: 'a.txt', background: 'b.txt' });
    await post('files')
      .attach('files', Buffer.from('a'), 'a.txt')
      .attach('files', Buffer.from('b'), 'b.txt')
      .attach('files', Buffer.from('c'), 'c.txt')
      .expect(400, { detail: 'Unexpected file field - files' });
  });

  it('passes the fields of a form without files', async () => {
    await post('none').field('name', 'Tom').expect(201, { name: 'Tom' });
    await post('none')
      .attach('file', Buffer.from('a'), 'a.txt')
      .expect(400, { detail: 'Unexpected file field - file' });
  });
});

describe('MulterModule', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'petsage-uploads-'));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  @Controller('stored')
  class StoredController {
    @Post()
    @UseInterceptors(FileInterceptor('file'))
    async upload(@UploadedFile() file: Express.Multer.File) {
      return { text: await readFile(file.path, 'utf8') };
    }
  }

  it('configures the interceptors of a module', async () => {
    @Module({
      imports: [MulterModule.registerAsync({ useFactory: () => ({ dest: folder }) })],
      controllers: [StoredController],
    })
    class StoredModule {}

    const { app } = await createTestApp({ features: [StoredModule] });
    await request(app.getHttpServer())
      .post('/stored')
      .attach('file', Buffer.from('meow'), 'cat.txt')
      .expect(201, { text: 'meow' });
  });
});
