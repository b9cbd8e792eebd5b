// Who is connected to this instance, by WebSocket or by an event stream: so that one user cannot take every place.

/** The connections of one instance. */
export interface Connections {
  /** Takes a place for a user and returns its leaving, which may be called again; null when the user has all that one may have. */
  enter(userId: string): (() => void) | null;
}

/** Nobody is connected yet; each user may be up to `maxPerUser` times. */
export function createConnections(maxPerUser: number): Connections {
  const places = new Map<string, number>();
  return {
    enter(userId) {
      const taken = places.get(userId) ?? 0;
      if (taken >= maxPerUser) return null;
      places.set(userId, taken + 1);
      let isHere = true;
      return () => {
        if (!isHere) return;
        isHere = false;
        const left = (places.get(userId) as number) - 1;
        if (left === 0) places.delete(userId);
        else places.set(userId, left);
      };
    },
  };
}
