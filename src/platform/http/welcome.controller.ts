import { Controller, Get } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { PublicRoute } from './public-route.decorator.js';

@ApiExcludeController()
@PublicRoute()
@Controller()
export class WelcomeController {
  @Get()
  getWelcome(): { message: string } {
    return { message: 'Welcome to the PetSage API. See /docs for documentation.' };
  }
}
