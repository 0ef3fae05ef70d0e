import type { Language } from './titles.ts';

type Texts = Readonly<Record<Language, readonly string[]>>;

/** Where a purpose stands, as its comments tell it. */
export type Situation = 'new' | 'waiting' | 'stuck' | 'ordered' | 'partial' | 'delivered' | 'returned';

export const comments: Readonly<Record<Situation, Texts>> = {
  new: {
    en: [
      'Requirements are being collected',
      'Waiting for a second quotation',
      'The unit will send the list of users',
    ],
    he: ['ממתין להצעת מחיר נוספת', 'האפיון בהכנה', 'היחידה תשלח רשימת משתמשים'],
  },
  waiting: {
    en: [
      'On its way, no special remarks',
      'Asked for priority, see the letter',
      'Budget confirmed by phone, paper follows',
      'The supplier extended the offer',
    ],
    he: ['בטיפול שוטף', 'התבקשה עדיפות, ראו מכתב', 'התקציב אושר טלפונית', 'הספק האריך את תוקף ההצעה'],
  },
  stuck: {
    en: [
      'No answer for weeks, escalated',
      'The person in charge changed',
      'Blocked until the budget is split',
    ],
    he: ['אין מענה, הועבר לטיפול מנהל', 'האחראי התחלף', 'מעוכב עד לפיצול התקציב'],
  },
  ordered: {
    en: [
      'Ordered, delivery date confirmed',
      'Ordered, the supplier will call before delivery',
      'Ordered through the framework agreement',
    ],
    he: ['הוזמן, מועד האספקה אושר', 'הוזמן במסגרת ההסכם', 'הוזמן, הספק יתאם הגעה'],
  },
  partial: {
    en: [
      'First part arrived, rest expected',
      'Licences active, hardware still missing',
      'Half of the units installed',
    ],
    he: ['התקבל חלק ראשון, היתר בדרך', 'הרישיונות פעילים, החומרה חסרה', 'מחצית היחידות הותקנו'],
  },
  delivered: {
    en: ['Delivered and checked', 'Delivered, invoice passed on', 'In use since the delivery'],
    he: ['סופק ונבדק', 'סופק, החשבונית הועברה', 'בשימוש מאז האספקה'],
  },
  returned: {
    en: ['Faulty units went back to the supplier', 'Opened again: the delivery was incomplete'],
    he: ['יחידות תקולות הוחזרו לספק', 'נפתח מחדש: האספקה הייתה חלקית'],
  },
};

/** Of stages. */
export const notes: Texts = {
  en: [
    'Approved with a remark on the term of payment',
    'Second signature obtained',
    'Sent back once, the quantity was unclear',
    'See the attached quotation',
    'Agreed in the weekly meeting',
    'The price holds until the end of the month',
  ],
  he: [
    'אושר בכפוף לתנאי התשלום',
    'התקבלה חתימה שנייה',
    'הוחזר פעם אחת להשלמת כמויות',
    'ראו הצעת המחיר המצורפת',
    'סוכם בישיבה השבועית',
    'המחיר בתוקף עד סוף החודש',
  ],
};

/** Steps that were added to a single purchase. */
export const customStages: Readonly<
  Record<Language, readonly { readonly name: string; readonly note: string }[]>
> = {
  en: [
    { name: 'Site survey', note: 'The supplier wants to see the room first' },
    { name: 'Laboratory test', note: 'Two weeks of trial with a borrowed unit' },
    { name: 'Export licence', note: 'Needed for the encryption module' },
    { name: 'Approval by the users', note: 'Their representative signs the specification' },
  ],
  he: [
    { name: 'סיור באתר', note: 'הספק מבקש לראות את החדר' },
    { name: 'בדיקת מעבדה', note: 'ניסוי של שבועיים עם יחידה מושאלת' },
    { name: 'אישור נציג המשתמשים', note: 'חתימה על האפיון' },
  ],
};
