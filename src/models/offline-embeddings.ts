// The embedder that needs no model: BM25 hashed into a vector, so that an inner product approximates a BM25 score.
// Parts of words share slots, which finds inflections, compounds and misspellings; it knows no synonyms and is not semantic.

import { Embeddings, type EmbeddingsParams } from '@langchain/core/embeddings';
import { tokenize } from '../text/tokenise.ts';

/** The length of every vector. */
export const offlineDimensions = 1536;

/** How rare a stem is in the scope that is searched: its inverse document frequency there, 0 or more. */
export type InverseDocumentFrequency = (stem: string) => number;

/** Turns texts into vectors without a network: deterministic, a fraction of a millisecond per passage; compare by inner product. */
export class OfflineEmbeddings extends Embeddings {
  constructor(params: EmbeddingsParams = {}) {
    super(params);
  }

  /** One vector per passage, its components weighted by BM25's saturation of term frequency; yields to other work between passages. */
  override async embedDocuments(texts: readonly string[]): Promise<number[][]> {
    const vectors: number[][] = [];
    for (const text of texts) {
      vectors.push(documentVector(text));
      await new Promise(setImmediate);
    }
    return vectors;
  }

  /** The question's vector of length 1 (all zeros without a content word); without `idf` every stem counts alike. */
  override async embedQuery(text: string, idf: InverseDocumentFrequency = () => 1): Promise<number[]> {
    return queryVector(text, idf);
  }
}

/** BM25's k1 and b. */
const saturation = 1.2;
const lengthPenalty = 0.75;
/** The mean number of terms per passage, a constant because a vector may not depend on the other passages of its scope. */
const averageLength = 100;
const partWeight = 0.2;
const shortestPart = 3;
const longestPart = 5;

function documentVector(text: string): number[] {
  const { counts, length } = count(text);
  const vector = zeros();
  const half = saturation * (1 - lengthPenalty + (lengthPenalty * length) / averageLength);
  for (const [stem, frequency] of counts) add(vector, stem, (frequency * (saturation + 1)) / (frequency + half));
  return vector;
}

function queryVector(text: string, idf: InverseDocumentFrequency): number[] {
  const vector = zeros();
  for (const [stem, frequency] of count(text).counts) add(vector, stem, frequency * idf(stem));
  const norm = Math.hypot(...vector);
  return norm === 0 ? vector : vector.map((component) => component / norm);
}

function count(text: string): { counts: Map<string, number>; length: number } {
  const counts = new Map<string, number>();
  const tokens = tokenize(text);
  for (const { term } of tokens) counts.set(term, (counts.get(term) ?? 0) + 1);
  return { counts, length: tokens.length };
}

const zeros = (): number[] => Array.from({ length: offlineDimensions }, () => 0);

/** Adds a stem and, lightly, its parts: the runs of 3 to 5 characters of "^stem$". */
function add(vector: number[], stem: string, weight: number): void {
  addFeature(vector, `=${stem}`, weight);
  const characters = [...`^${stem}$`];
  for (let size = shortestPart; size <= longestPart; size++) {
    for (let at = 0; at + size <= characters.length; at++) {
      addFeature(vector, characters.slice(at, at + size).join(''), weight * partWeight);
    }
  }
}

/** One slot and one sign per feature: features that share a slot cancel out on average instead of adding up. */
function addFeature(vector: number[], feature: string, weight: number): void {
  const hash = hash32(feature);
  const slot = hash % offlineDimensions;
  vector[slot] = (vector[slot] ?? 0) + (hash & 0x8000_0000 ? -weight : weight);
}

/** FNV-1a over UTF-16 code units with the finaliser of MurmurHash3, which spreads short strings over all bits. */
function hash32(text: string): number {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
