// The packages that the tests of interoperation install (tests/interop/package.json): one installation for both.

import { createRequire } from 'node:module';

const require = createRequire(new URL('../../tests/interop/package.json', import.meta.url));

export const axios = require('axios');
export const express = require('express');
export const { Server } = require('socket.io');
export const { io } = require('socket.io-client');
