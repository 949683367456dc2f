import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule, serve } from './app.js';

await serve(await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter()));
