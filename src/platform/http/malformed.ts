import { BadRequestException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

/** Answers 400 to an HTTP/1.1 request without a host, and to a path that cannot be decoded. */
export function rejectMalformed(req: Request, _res: Response, next: NextFunction): void {
  if (req.headers.host === undefined && req.httpVersion === '1.1') {
    next(new BadRequestException('The Host header is missing'));
  } else if (req.url.includes('%') && !isDecodable(req.path)) {
    next(new BadRequestException('The path is malformed: a % begins no UTF-8 character'));
  } else {
    next();
  }
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
