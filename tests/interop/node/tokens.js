// Whom a token names: a JWT signed with the server's key by HS256 (wire protocol, section 2).

import jwt from 'jsonwebtoken';
import { parseId, Refused, typeOf } from './state.js';

const ID_CLAIMS = { medecin: ['id_professionnel', 'professionnel_id', 'id'], patient: ['id', 'id_patient', 'patient_id'] };

export class Tokens {
  #dead = new Set();

  constructor(secret) {
    this.secret = secret;
  }

  kill(token) {
    this.#dead.add(token);
  }

  verify(token) {
    if (typeof token !== 'string' || this.#dead.has(token)) throw new Refused(401, 'Jeton manquant, expiré ou révoqué');
    let claims;
    try {
      claims = jwt.verify(token, this.secret, { algorithms: ['HS256'] });
    } catch {
      throw new Refused(401, 'Jeton invalide');
    }
    const type = typeOf(claims.role ?? claims.type);
    const name = type && ID_CLAIMS[type].find((each) => claims[each] !== undefined && claims[each] !== null);
    if (!name) throw new Refused(401, 'Jeton sans utilisateur');
    return { type, id: parseId(claims[name]) };
  }
}
