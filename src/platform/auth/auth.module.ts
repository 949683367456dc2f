import { Module } from '@nestjs/common';
import { SettingsModule } from '../settings/settings.module.js';
import { AuthService } from './auth.service.js';
import { AuthSettings } from './auth.settings.js';
import { DevelopmentSigningKeys } from './development-signing-keys.js';
import { IssuerSigningKeys } from './issuer-signing-keys.js';
import { SigningKeys } from './signing-keys.js';
import { TokenVerifierService } from './token-verifier.service.js';

/** Verifies bearer tokens. A module imports it to use `@Authenticated()` and `@Scopes()`. */
@Module({
  imports: [SettingsModule.forFeature(AuthSettings)],
  providers: [
    AuthService,
    TokenVerifierService,
    {
      provide: SigningKeys,
      inject: [AuthSettings],
      useFactory: (settings: AuthSettings): SigningKeys =>
        settings.AUTH_ISSUER === undefined
          ? new DevelopmentSigningKeys(settings.DATA_DIR)
          : new IssuerSigningKeys(settings),
    },
  ],
  exports: [AuthService, SigningKeys],
})
export class AuthModule {}
