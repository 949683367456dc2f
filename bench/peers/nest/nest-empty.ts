// A Nest application with one route: the start-up time and idle memory of Nest itself.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

@Controller()
class LivenessController {
  @Get('system/healthz')
  healthz() {
    return { status: 'ok', message: 'PetSage API is alive and running!' };
  }
}

@Module({ controllers: [LivenessController] })
class AppModule {}

const app = await NestFactory.create(AppModule);
await app.listen(Number(process.env.PORT), '127.0.0.1');
