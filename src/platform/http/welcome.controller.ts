import { Controller, Get } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';

@ApiExcludeController()
@Controller()
export class WelcomeController {
  @Get()
  getWelcome(): { message: string } {
    return { message: 'Welcome to the PetSage API. See /docs for documentation.' };
  }
}
