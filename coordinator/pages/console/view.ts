/**
 * Owns what every view of the console has, and what it may use: the API, telling people something, asking them. Never shows anything.
 */
import type { Api } from '../foundation/api.ts';
import { make, makeButton } from '../foundation/elements.ts';

/** What a view may use. */
export interface Surroundings {
  readonly api: Api;
  /** Says something that has happened, also to those who don't see the page. */
  readonly tell: (news: string) => void;
  /** Asks for new answers now. */
  readonly again: () => void;
}

/** A part of the console. */
export interface View {
  readonly title: string;
  readonly root: HTMLElement;
  /** Asks the API, and shows what it says. */
  refresh(signal: AbortSignal): Promise<void>;
  /** It is not shown any more. */
  leave?(): void;
}

/** A view's frame: its heading and what follows. */
export function makeView(title: string, sentence: string, ...children: readonly (Node | null)[]): HTMLElement {
  return make('div', { class: 'view' }, make('h1', {}, title), make('p', { class: 'lead' }, sentence), ...children);
}

/** Asks whether something is to be done; resolves with the answer. */
export function confirmWith(question: string, detail: string, act: string): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = make('dialog', { 'aria-labelledby': 'question' });
    const end = (isWanted: boolean) => {
      dialog.close();
      dialog.remove();
      resolve(isWanted);
    };
    const no = makeButton('Cancel', () => end(false));
    const yes = makeButton(act, () => end(true), { class: 'strong' });
    dialog.append(
      make('h2', { id: 'question' }, question),
      make('p', {}, detail),
      make('div', { class: 'choices' }, no, yes),
    );
    dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      end(false);
    });
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  });
}
