// Forms, as a person finds their fields.

/** The text field of this label; a label may say that the field is optional. */
export const textbox = (page, label) =>
  page.getByRole('textbox', { name: new RegExp(`^${label}\\s*(optional)?$`) });
