// Forms, as a person finds their fields.

/** The text field of this label; a label may say that the field is optional. One that offers values is a combo box. */
export function textbox(page, label) {
  const name = new RegExp(`^${label}\\s*(optional)?$`);
  return page.getByRole('textbox', { name }).or(page.getByRole('combobox', { name }));
}
