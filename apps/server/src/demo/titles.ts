/** What purposes are for: by service type, in the two languages of the people who file them. */

export type Language = 'en' | 'he';

export const titles: Readonly<Record<string, Readonly<Record<Language, readonly string[]>>>> = {
  'Cloud Infrastructure': {
    en: [
      'Compute capacity for the image processing cluster',
      'Reserved instances for the test environments',
      'Move of the room booking system to the cloud',
      'GPU servers for model training',
      'Second region for the visitors portal',
      'Load balancers for the course registration site',
      'Cloud accounts for the new teams',
      'Burst capacity for the year-end closing',
    ],
    he: [
      'הגדלת נפח המחשוב בענן לצוות הפיתוח',
      'שרתי GPU למעבדת הראייה הממוחשבת',
      'סביבת בדיקות בענן לפרויקט הלוגיסטיקה',
      'חידוש המנוי השנתי לשירותי הענן',
      'אזור גיבוי שני לפורטל הפנימי',
      'מאזני עומסים לאתר ההרשמה',
    ],
  },
  'Database Services': {
    en: [
      'Hosted PostgreSQL for the inventory system',
      'Move of the personnel database to a new server',
      'Cache for the search service',
      'Read replicas for the reporting team',
      'Document store for laboratory results',
      'Support contract for the MySQL servers',
      'Anonymised copy of production for training',
    ],
    he: [
      'שדרוג בסיס הנתונים של מערכת המלאי',
      'העברת נתוני כוח האדם לשרת חדש',
      'רישיונות לבסיס נתונים של המעבדה',
      'שירותי תמיכה לשרתי MySQL',
      'בסיס נתונים לדוחות ההנהלה',
      'מטמון מהיר לשירות החיפוש',
    ],
  },
  'Application Development': {
    en: [
      'Interface between the warehouse and the finance system',
      'Developer licences for the mobile team',
      'Visitor registration application',
      'New build pipeline for the firmware group',
      'Rewrite of the shift planning tool',
      'Digital forms for the maintenance workshop',
      'Container platform for the research prototypes',
      'Accessibility work on the public site',
    ],
    he: [
      'פיתוח ממשק בין מערכת המחסן לכספים',
      'רישיונות פיתוח לצוות המובייל',
      'אפליקציה לרישום מבקרים',
      'טפסים דיגיטליים לבית המלאכה',
      'שכתוב כלי שיבוץ המשמרות',
      'הנגשת האתר הציבורי',
    ],
  },
  'DevOps & Automation': {
    en: [
      'Private registry for container images',
      'Backup software for the branch offices',
      'Alerting for the night shift',
      'Infrastructure code review by an outside expert',
      'Cluster management for the simulation group',
      'Runners for the build farm',
      'Recovery exercise with the vendor',
    ],
    he: [
      'מערכת ניטור והתרעות למוקד',
      'תוכנת גיבוי לסניפים',
      'ניהול אשכולות לקבוצת הסימולציה',
      'אוטומציה להקמת סביבות פיתוח',
      'מאגר פרטי לתמונות קונטיינר',
      'הדרכת צוות התשתיות',
    ],
  },
  'Security & Monitoring': {
    en: [
      'Yearly penetration test of the public services',
      'Certificates for the internal services',
      'Log retention for two years',
      'Audit of the access rights in the archive',
      'Cameras and sensors for the server room',
      'Phishing exercise for all staff',
      'Hardware keys for administrators',
      'Compliance report for the board',
    ],
    he: [
      'מבדק חדירה שנתי לשירותים הציבוריים',
      'תעודות אבטחה לשירותים פנימיים',
      'שמירת יומנים לשנתיים',
      'מצלמות וחיישנים לחדר השרתים',
      'מפתחות חומרה למנהלי המערכת',
      'תרגיל פישינג לכלל העובדים',
    ],
  },
  'Storage Solutions': {
    en: [
      'Archive for microscope images',
      'Disks for the backup library',
      'Shared folders for the design office',
      'Storage for the recordings of the lecture halls',
      'Faster delivery of training videos',
      'Move of old project files to tape',
      'File server for the print workshop',
    ],
    he: [
      'ארכיון לתמונות מיקרוסקופ',
      'הרחבת מערך האחסון במרכז',
      'כוננים לספריית הגיבוי',
      'שרת קבצים למשרד התכנון',
      'אחסון להקלטות מאולמות ההרצאה',
      'העברת תיקי פרויקטים ישנים לארכיון',
    ],
  },
  'Network Services': {
    en: [
      'Wireless coverage for the new laboratory wing',
      'Firewalls for the two branch offices',
      'Remote access for field engineers',
      'Second internet line for the call centre',
      'Switches for the third floor',
      'Name service for the test network',
      'Measurement of the link to the remote site',
      'Cabling of the conference rooms',
    ],
    he: [
      'כיסוי אלחוטי לאגף המעבדות החדש',
      'חומות אש לשני הסניפים',
      'גישה מרחוק למהנדסי השטח',
      'קו אינטרנט שני למוקד השירות',
      'מתגים לקומה השלישית',
      'כבילה לחדרי הישיבות',
    ],
  },
};

/** What tells two purposes of the same kind apart. */
export const suffixes: Readonly<Record<Language, readonly string[]>> = {
  en: [
    '',
    ', phase 2',
    ' (renewal)',
    ' - pilot',
    ', northern site',
    ', 12 months',
    ', three years',
    ' - head office',
    ', additional units',
  ],
  he: [
    '',
    ' - שלב ב׳',
    ' (חידוש)',
    ' - פיילוט',
    ' - אתר צפון',
    ', לשנה',
    ', לשלוש שנים',
    ' - משרד ראשי',
    ', יחידות נוספות',
  ],
};
