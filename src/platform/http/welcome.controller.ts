import { Controller, Get } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';

/** Tells whoever opens the bare address where to read on. */
@ApiExcludeController()
@Controller()
export class WelcomeController {
  @Get()
  welcome(): { message: string } {
    return { message: 'Welcome to the PetSage API. See /docs for documentation.' };
  }
}
