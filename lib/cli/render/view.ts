import pc from 'picocolors';

/** How the answer will be looked at: all that rendering depends on beside the data. */
export interface View {
  /** Columns to fill. */
  width: number;
  colour: boolean;
  /** A person looks at it now: what is long may be shortened. A file gets it in full. */
  interactive: boolean;
}

/** Colours by what they mean here. */
export interface Palette {
  strong(text: string): string;
  faint(text: string): string;
  /** Wide open, or failed. */
  danger(text: string): string;
  /** Open to neighbours, or in need of attention. */
  caution(text: string): string;
  /** Closed as wanted, or got through. */
  calm(text: string): string;
  unknown(text: string): string;
  link(text: string): string;
}

/** The palette of a view: every function returns its text unchanged where there is no colour. */
export function palette(view: View): Palette {
  const colours = pc.createColors(view.colour);
  return {
    strong: colours.bold,
    faint: colours.dim,
    danger: colours.red,
    caution: colours.yellow,
    calm: colours.green,
    unknown: colours.magenta,
    link: colours.cyan,
  };
}
