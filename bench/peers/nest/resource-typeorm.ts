// The pet profiles on Nest with Express, TypeORM, and Nest's ValidationPipe. Each request executes one statement, as
// with the other servers: save() would execute up to four.
import 'reflect-metadata';
import {
  Body,
  Controller,
  Get,
  Injectable,
  Module,
  NotFoundException,
  Param,
  ParseUUIDPipe,
  Patch,
  Post,
  Query,
  ValidationPipe,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { Type } from 'class-transformer';
import {
  IsArray,
  IsDateString,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  MinLength,
  ValidateIf,
} from 'class-validator';
import pg from 'pg';
import { Column, Entity, PrimaryColumn, Repository } from 'typeorm';
import { v7 as createId } from 'uuid';

const PATH = 'api/v1/pet-profiles';

// TypeORM returns the rows of pg unchanged.
pg.types.setTypeParser(pg.types.builtins.DATE, (text) => text);

@Entity('pet_profiles')
class PetProfile {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('integer')
  version!: number;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'updated_at', precision: 3 })
  updatedAt!: Date;

  @Column('text')
  name!: string;

  @Column('text')
  kind!: 'dog' | 'cat';

  @Column('date', { nullable: true })
  birthday!: string | null;

  @Column('double precision', { nullable: true })
  weight!: number | null;

  @Column('jsonb')
  tags!: string[];
}

class CreatePetProfileDto {
  @IsString()
  @MinLength(1)
  @MaxLength(80)
  name!: string;

  @IsIn(['dog', 'cat'])
  kind!: 'dog' | 'cat';

  @IsOptional()
  @IsDateString()
  birthday?: string | null;

  @IsOptional()
  @IsNumber()
  @Min(0)
  @Max(200)
  weight?: number | null;

  @IsArray()
  @IsString({ each: true })
  tags!: string[];
}

const isPresent = (_: object, value: unknown) => value !== undefined;

class UpdatePetProfileDto {
  @ValidateIf(isPresent)
  @IsString()
  @MinLength(1)
  @MaxLength(80)
  name?: string;

  @ValidateIf(isPresent)
  @IsIn(['dog', 'cat'])
  kind?: 'dog' | 'cat';

  @IsOptional()
  @IsDateString()
  birthday?: string | null;

  @IsOptional()
  @IsNumber()
  @Min(0)
  @Max(200)
  weight?: number | null;

  @ValidateIf(isPresent)
  @IsArray()
  @IsString({ each: true })
  tags?: string[];
}

class ListQueryDto {
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  limit: number = 20;
}

@Injectable()
class PetProfileService {
  constructor(@InjectRepository(PetProfile) private readonly repository: Repository<PetProfile>) {}

  async create(body: CreatePetProfileDto) {
    const now = new Date();
    const { raw } = await this.repository
      .createQueryBuilder()
      .insert()
      .values({ ...body, id: createId(), version: 1, createdAt: now, updatedAt: now })
      .returning('*')
      .updateEntity(false)
      .execute();
    return fromRow(raw[0]);
  }

  async get(id: string) {
    return fromEntity(await this.repository.findOneBy({ id }));
  }

  async list({ limit }: ListQueryDto) {
    const pets = await this.repository.find({ order: { id: 'DESC' }, take: limit + 1 });
    const last = pets.length > limit ? pets[limit - 1] : undefined;
    return {
      items: pets.slice(0, limit).map(fromEntity),
      nextCursor: last
        ? Buffer.from(JSON.stringify([`/${PATH}`, null, last.id])).toString('base64url')
        : null,
    };
  }

  async update(id: string, body: UpdatePetProfileDto) {
    const { raw } = await this.repository
      .createQueryBuilder()
      .update()
      .set({ ...body, updatedAt: new Date(), version: () => 'version + 1' })
      .where({ id })
      .returning('*')
      .updateEntity(false)
      .execute();
    return fromRow(raw[0]);
  }
}

@Controller(PATH)
class PetProfileController {
  constructor(private readonly service: PetProfileService) {}

  @Post()
  create(@Body() body: CreatePetProfileDto) {
    return this.service.create(body);
  }

  @Get()
  list(@Query() query: ListQueryDto) {
    return this.service.list(query);
  }

  @Get(':id')
  get(@Param('id', ParseUUIDPipe) id: string) {
    return this.service.get(id);
  }

  @Patch(':id')
  update(@Param('id', ParseUUIDPipe) id: string, @Body() body: UpdatePetProfileDto) {
    return this.service.update(id, body);
  }
}

@Controller('system/healthz')
class LivenessController {
  @Get()
  healthz() {
    return { status: 'ok' };
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: process.env.DATABASE_URL,
      poolSize: Number(process.env.DATABASE_POOL_SIZE),
      entities: [PetProfile],
    }),
    TypeOrmModule.forFeature([PetProfile]),
  ],
  controllers: [LivenessController, PetProfileController],
  providers: [PetProfileService],
})
class AppModule {}

function fromEntity(pet: PetProfile | null) {
  if (!pet) throw new NotFoundException({ detail: 'Pet profile not found' });
  const { id, name, kind, birthday, weight, tags, createdAt, updatedAt } = pet;
  return { id, name, kind, birthday, weight, tags, createdAt, updatedAt };
}

/** Creates the response from a row that a statement returned. TypeORM does not map it to the entity. */
function fromRow(row: (PetProfile & { created_at: Date; updated_at: Date }) | undefined) {
  return fromEntity(row ? { ...row, createdAt: row.created_at, updatedAt: row.updated_at } : null);
}

const app = await NestFactory.create(AppModule);
app.useGlobalPipes(new ValidationPipe({ transform: true }));
await app.listen(Number(process.env.PORT), '127.0.0.1');
