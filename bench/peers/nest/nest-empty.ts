// The smallest Nest application that answers: what Nest itself takes to start and to idle.
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
