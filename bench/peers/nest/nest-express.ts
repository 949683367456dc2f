import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule, serve } from './app.js';

await serve(await NestFactory.create(AppModule));
