/** The kit: everything a page is made of. Pages import from here alone. */
export { Badge, type BadgeTone } from './Badge';
export { Button, buttonLook, IconButton } from './Button';
export { Confirm } from './Confirm';
export { CopyBlock, CopyButton } from './Copy';
export { Dialog, Sheet } from './Dialog';
export { Checkbox, Field, Input, PasswordInput, SearchInput, TextArea } from './Field';
export { Menu, type MenuEntry } from './Menu';
export { Meter } from './Meter';
export { Card, Page } from './Page';
export { KitRoot } from './Root';
export { SearchSelect } from './SearchSelect';
export { Segments } from './Segments';
export { Select, type Choice } from './Select';
export { Empty, Failure, Notice, Skeleton } from './States';
export { Switch } from './Switch';
export { Table, type Column } from './Table';
export { Tabs, type Tab } from './Tabs';
export { say } from './Toast';
